"""The published parameters and multiply-adds of the nets as registered."""

import pytest
from torch import nn
from zoo_counts import count, on_meta, parameters

from tvmlcnn.models import entries

# Of the released checkpoints: parameters exactly, multiply-adds in G to the digit.
RELEASED = {
    "alexnet": (61_100_840, 0.714),
    "densenet121": (7_978_856, 2.834),
    "densenet169": (14_149_480, 3.360),
    "densenet201": (20_013_928, 4.291),
    "mobilenet_v2": (3_504_872, 0.301),
    "mobilenet_v3_large": (5_483_032, 0.217),
    "mobilenet_v3_small": (2_542_856, 0.057),
    "resnet101": (44_549_160, 7.801),
    "resnet50": (25_557_032, 4.089),
    "resnext101_32x8d": (88_791_336, 16.414),
    "resnext50_32x4d": (25_028_904, 4.230),
    "shufflenet_v2_x0_5": (1_366_792, 0.040),
    "shufflenet_v2_x1_0": (2_278_604, 0.145),
    "shufflenet_v2_x1_5": (3_503_624, 0.296),
    "shufflenet_v2_x2_0": (7_393_996, 0.583),
    "squeezenet1_0": (1_248_424, 0.819),
    "squeezenet1_1": (1_235_496, 0.349),
}


@pytest.mark.parametrize("name", RELEASED)
def test_released_nets(name):
    counts = count(name)
    assert (counts.parameters, round(counts.macs / 1e9, 3)) == RELEASED[name]
    assert counts.output_shape == (1, 1000)


def test_every_released_net_is_listed():
    assert {name for name, entry in entries().items() if entry.torchvision} == set(RELEASED)


def test_grouped_alexnet_has_the_60_million_parameters_of_the_paper():
    net, _ = on_meta("alexnet_grouped")
    assert parameters(net) // 10**6 == 60


def test_grouped_alexnet_neurons():
    # The paper prints 253,440 for the first layer, though its own 55x55x96 is 290,400; the other
    # seven are as printed.
    neurons = []
    net, image = on_meta("alexnet_grouped")
    for layer in net.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            layer.register_forward_hook(lambda *call: neurons.append(call[2].numel()))
    net(image)
    assert neurons == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]


def test_squeezenet_parameters_a_layer():
    net, _ = on_meta("squeezenet1_0")
    layers = [layer for layer in net.features if any(True for _ in layer.parameters())]
    counts = [parameters(layer) for layer in [*layers, net.classifier]]
    fires = [11_920, 12_432, 45_344, 49_440, 104_880, 111_024, 188_992, 197_184]
    assert counts == [14_208, *fires, 513_000]


def test_squeeze_and_excitation_adds_what_the_paper_says():
    # Equation 5: 2/r of the sum of the squared widths, 2.5 M for ResNet-50, and 10 M multiply-adds
    # in 3.86 G (3.87 G with). Ours has biases besides.
    plain, excited = count("resnet50"), count("se_resnet50")
    widths = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    weights = 2 * sum(width**2 for width in widths) // 16
    assert weights == 2_514_944
    biases = sum(width + width // 16 for width in widths)
    assert excited.parameters - plain.parameters == weights + biases
    assert excited.macs - plain.macs == weights


def test_densenet264_has_its_layers():
    # Two convolutions a layer, three transitions, stem and classifier; 33.3 M parameters.
    net, _ = on_meta("densenet264")
    assert 2 * (6 + 12 + 64 + 48) + 3 + 1 == 264
    assert sum(isinstance(layer, nn.Conv2d) for layer in net.modules()) == 264
    assert round(parameters(net) / 1e6, 1) == 33.3


def test_mobilefacenet():
    # "Less than 1 million parameters" holds without batch norm, which folds away (1,003,136 with);
    # 221 M multiply-adds.
    counts = count("mobilefacenet")
    assert counts.weights == 983_552
    assert round(counts.macs / 1e6) == 221
    assert counts.output_shape == (1, 128)
