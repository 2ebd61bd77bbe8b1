import json
from pathlib import Path

import pytest
import torch
from torchvision_fingerprints import fingerprint

from tvmlcnn.models import create, entries

PRINTS = json.loads(Path(__file__).with_name("torchvision_fingerprints.json").read_text())


def test_every_net_with_released_weights_has_a_fingerprint():
    assert {name for name, entry in entries().items() if entry.torchvision} == set(PRINTS)


@pytest.mark.parametrize("name", PRINTS)
def test_keys_and_shapes_are_torchvisions(name):
    with torch.device("meta"):
        net = create(name).module
    assert fingerprint(net.state_dict()) == PRINTS[name]


def test_fingerprint_sees_a_renamed_key_and_a_changed_shape():
    state = {"fc.weight": torch.zeros(2, 3)}
    assert fingerprint(state) != fingerprint({"fc.weights": torch.zeros(2, 3)})
    assert fingerprint(state) != fingerprint({"fc.weight": torch.zeros(3, 2)})


def test_densenet_takes_the_keys_of_released_files():
    # Files from before 2019 have a dot that module names may not have: norm.1, conv.2.
    net = create("densenet_bc_cifar?depth=10").module
    torch.manual_seed(1)
    other = create("densenet_bc_cifar?depth=10").module.state_dict()
    released = {
        key.replace("norm1.", "norm.1.")
        .replace("norm2.", "norm.2.")
        .replace("conv1.", "conv.1.")
        .replace("conv2.", "conv.2."): value
        for key, value in other.items()
    }
    assert set(released) != set(other)
    net.load_state_dict(released)
    assert all(torch.equal(value, other[key]) for key, value in net.state_dict().items())
