import sys
from pathlib import Path

import pytest
import torch

from tvmlcnn import models
from tvmlcnn.errors import UserError
from tvmlcnn.models import create, entries, names, register

PREFIX = "tvmlcnn.models."


def test_names_are_sorted():
    assert names() == sorted(entries())


def test_the_networks_of_each_file_are_registered():
    files = {path.stem for path in Path(models.__file__).parent.glob("*.py")} - {"__init__"}
    assert files == {name.rpartition(".")[2] for name in sys.modules if name.startswith(PREFIX)}


def test_a_name_given_twice_raises():
    def alexnet():
        """Take the name of another."""

    with pytest.raises(ValueError, match="'alexnet' is registered twice"):
        register(source="nobody")(alexnet)


def test_options_are_listed_with_their_defaults():
    assert entries()["shufflenet_v1"].options == {
        "groups": 3,
        "scale": 1.0,
        "squeeze_excitation": False,
        "shuffle": True,
        "shallow": False,
        "resolution": 224,
    }


def test_the_name_and_its_options_are_kept():
    model = create("mobilenet_v1?width=0.25&resolution=96")
    assert model.name == "mobilenet_v1?width=0.25&resolution=96"
    assert model.input_shape == (1, 3, 96, 96)
    assert model.entry is entries()["mobilenet_v1"]


def test_resolution_reaches_a_net_whose_weights_depend_on_it():
    model = create("mobilefacenet?resolution=96")
    assert model.input_shape == (1, 3, 96, 96)
    assert model.module.pool[0].kernel_size == (6, 6)


def test_the_seed_decides_the_weights():
    torch.manual_seed(3)
    first = create("squeezenet1_1").module.state_dict()
    torch.manual_seed(3)
    second = create("squeezenet1_1").module.state_dict()
    assert all(torch.equal(first[key], second[key]) for key in first)


def test_checking_the_resolution_leaves_the_mode_and_the_weights_alone():
    module = create("squeezenet1_1?resolution=64").module
    assert module.training
    assert all(p.device.type == "cpu" for p in module.parameters())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("mobilnet_v2", r"no model 'mobilnet_v2' in the zoo \(did you mean mobilenet_v2"),
        ("mobilenet_v2?widht=0.5", r"no option 'widht' \(did you mean width\?\); it has width"),
        ("resnet50?width=2", "resnet50 has no option 'width'.*it has resolution"),
        ("mobilenet_v2?width=half", "width='half' is no float"),
        ("mobilenet_v2?width=-1", "width='-1' is no float"),
        ("mobilenet_v2?width=nan", "width='nan' is no float"),
        ("mobilenet_v2?width=inf", "width=inf must be above 0 and at most 4"),
        ("mobilenet_v2?width", "width='' is no float"),
        ("mobilenet_v2?width=0.5&width=1", "'width' is given twice"),
        ("mobilenet_v1?shallow=maybe", "shallow='maybe' is no bool"),
        ("squeezenet1_0?bypass=hard", "bypass=hard must be none, simple or complex"),
        ("shufflenet_v1?groups=5", "groups=5 must be one of 1, 2, 3, 4, 8"),
        ("shufflenet_v1?scale=0.1", "scale=0.1 must be between 0.25 and 4"),
        ("preresnet_cifar?depth=100", "depth=100 must be 9n \\+ 2"),
        ("densenet_cifar?depth=41", "depth=41 must be 3n \\+ 4"),
        ("densenet_bc_cifar?depth=43", "depth=43 must be 6n \\+ 4"),
        ("densenet_bc_cifar?growth=1000", "growth=1000 must be between 1 and 256"),
        ("resnext50?cardinality=64&width=64", "their product at most 1024"),
        ("mobilefacenet?resolution=100", "resolution=100 must be a multiple of 16"),
        ("squeezenet1_0?resolution=8", "does not take a resolution of 8; try a larger one"),
    ],
)
def test_a_users_mistake_is_one_line_that_says_what_to_do(name, said):
    with pytest.raises(UserError, match=said) as raised:
        create(name)
    assert "\n" not in str(raised.value)
