"""Nets as they leave the constructor: they export, and their values stay in scale."""

import pytest
import torch

from tvmlcnn.models import create, entries, names

# A small net of each kind, with the options that change its operators.
SMALL = [
    "alexnet_grouped",
    "densenet_bc_cifar?depth=10",
    "densenet_cifar?depth=10",
    "mobilefacenet?resolution=48",
    "mobilenet_v1?width=0.25&resolution=64",
    "mobilenet_v3_small?resolution=64",
    "preresnet_cifar?depth=11",
    "se_resnet50?resolution=64",
    "shufflenet_v1?shallow=true&squeeze_excitation=true&resolution=64",
    "shufflenet_v2_x0_5?resolution=64",
    "squeezenet1_0?bypass=complex&resolution=64",
]


@pytest.mark.parametrize("name", SMALL)
def test_export(name):
    with torch.device("meta"):
        model = create(name)
        image = torch.empty(model.input_shape)
    program = torch.export.export(model.module.eval(), (image,))
    outputs = [
        node.meta["val"].shape
        for node in program.graph.nodes
        if node.name in program.graph_signature.user_outputs
    ]
    width = 10 if "cifar" in name else 128 if "face" in name else 1000
    assert outputs == [(1, width)]


@pytest.mark.parametrize(
    "name", [*SMALL[1:], "mobilenet_v2?width=0.25&resolution=64", "preresnet_cifar"]
)
def test_fresh_weights_keep_the_scale(name):
    # Batch norm is the identity in a fresh net, so only the initialization holds the scale.
    torch.manual_seed(0)
    model = create(name)
    with torch.no_grad():
        outputs = model.module.eval()(torch.randn(model.input_shape))
    assert 1e-3 < outputs.std() < 1e3


def test_entries_say_where_they_come_from():
    for name in names():
        entry = entries()[name]
        assert entry.source[-4:].isdigit() or "arXiv:" in entry.source
        assert entry.top1 is None or 50 < entry.top1 < 85
        assert (entry.top1 is None) == (entry.labels != "imagenet")
