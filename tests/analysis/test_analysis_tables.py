"""Published figures of parts of networks: by type of operator, by layer."""

import pytest
from torch import nn
from zoo_analyses import analysis_of, layers_of, millions

from tvmlcnn.analysis import KINDS, analyze
from tvmlcnn.models import SeparableConv


def percent(part, whole):
    return round(100 * part / whole, 2)


def test_mobilenet_v1_share_of_multiply_adds():
    analysis = analysis_of("mobilenet_v1")
    shares = {k: percent(t.macs, analysis.total.macs) for k, t in analysis.kinds.items() if t.macs}
    # The paper prints 1.19 for the full convolution, but only 1.91 adds up to 100.
    assert shares == {"pointwise": 94.86, "depthwise": 3.06, "full": 1.91, "fc": 0.18}


def test_mobilenet_v1_share_of_parameters():
    # The paper's shares are of the weights, without batch norm and the classifier's biases.
    kinds = analysis_of("mobilenet_v1").kinds
    weights = {k: t.parameters for k, t in kinds.items() if t.parameters and k != "norm"}
    weights["fc"] -= 1000
    shares = {kind: percent(number, sum(weights.values())) for kind, number in weights.items()}
    assert shares == {"pointwise": 74.59, "depthwise": 1.06, "full": 0.02, "fc": 24.33}


@pytest.mark.parametrize(
    ("block", "channels", "size", "macs", "parameters"),
    [
        (nn.Conv2d(512, 512, 3, padding=1, bias=False), 512, 14, 462, 2.36),
        (SeparableConv(512, 512), 512, 14, 52.3, 0.27),
        (SeparableConv(384, 384), 384, 14, 29.6, 0.15),
        (SeparableConv(384, 384), 384, 10, 15.1, 0.15),
    ],
)
def test_mobilenet_v1_single_layer(block, channels, size, macs, parameters):
    analysis = analyze(block, input_shapes=[(1, channels, size, size)])
    norms = analysis.kinds["norm"].parameters if "norm" in analysis.kinds else 0
    digits = 0 if macs > 100 else 1
    assert millions(analysis.total.macs, digits) == macs
    assert millions(analysis.total.parameters - norms, 2) == parameters


def test_a_separable_convolution_costs_one_nth_plus_one_kth_squared():
    # Section 3.1 of the paper: 1/N + 1/K² of the full convolution.
    shape = [(1, 512, 14, 14)]
    full = analyze(nn.Conv2d(512, 256, 3, padding=1), input_shapes=shape).total
    separable = analyze(SeparableConv(512, 256), input_shapes=shape).total
    assert separable.macs / full.macs == pytest.approx(1 / 256 + 1 / 9)


@pytest.mark.parametrize(
    ("prefix", "parameters"),
    [
        ("features.0", 14_208),
        ("features.3.", 11_920),
        ("features.4.", 12_432),
        ("features.5.", 45_344),
        ("features.7.", 49_440),
        ("features.8.", 104_880),
        ("features.9.", 111_024),
        ("features.10.", 188_992),
        ("features.12.", 197_184),
        ("classifier.", 513_000),
    ],
)
def test_squeezenet_parameters(prefix, parameters):
    assert sum(layer.parameters for layer in layers_of("squeezenet1_0", prefix)) == parameters


def test_squeezenet_takes_4_8_megabytes():
    assert analysis_of("squeezenet1_0").total.weight_bytes / 2**20 == pytest.approx(4.8, abs=0.05)


def test_alexnet_neurons():
    # The paper prints 253,440 for the first layer, though its own 55x55x96 is 290,400.
    layers = layers_of("alexnet_grouped")
    neurons = [layer.writes[0].bytes // 4 for layer in layers if layer.macs]
    assert neurons == [290_400, 186_624, 64_896, 64_896, 43_264, 4096, 4096, 1000]
    assert [layer.groups for layer in layers if layer.macs] == [1, 2, 1, 2, 2, 1, 1, 1]


def test_global_depthwise_convolution():
    # G = N = C and K = H = W: every input pixel is multiplied once.
    (layer,) = [layer for layer in layers_of("mobilefacenet") if layer.name == "pool.0"]
    assert (layer.kind, layer.kernel, layer.groups) == ("depthwise", (7, 7), 512)
    assert layer.macs == layer.parameters == 512 * 7 * 7


def test_squeeze_and_excitation_of_resnet():
    # Two fully connected layers of c·c/16 weights in each of 16 bottlenecks.
    plain, excited = analysis_of("resnet50"), analysis_of("se_resnet50")
    widths = [256] * 3 + [512] * 4 + [1024] * 6 + [2048] * 3
    assert excited.total.macs - plain.total.macs == 2 * sum(w * w // 16 for w in widths)


@pytest.mark.parametrize(
    ("name", "kinds"),
    [
        ("shufflenet_v2_x0_5", {"pointwise": 36, "depthwise": 19, "full": 1, "shuffle": 16}),
        ("shufflenet_v1?groups=3", {"pointwise": 1, "grouped": 31, "depthwise": 16, "shuffle": 16}),
        ("squeezenet1_0", {"pointwise": 17, "full": 9, "concat": 8, "pool": 4}),
        ("resnet50", {"full": 17, "pointwise": 36, "pool": 2, "fc": 1, "norm": 53}),
        # 19 hard swishes, 14 ReLUs, 9 gates with their products, 6 shortcuts.
        ("mobilenet_v3_small", {"pool": 10, "fc": 2, "elementwise": 19 + 14 + 2 * 9 + 6}),
    ],
)
def test_layers_by_type(name, kinds):
    found = {kind: totals.layers for kind, totals in analysis_of(name).kinds.items()}
    assert found | kinds == found
    assert list(found) == [kind for kind in KINDS if kind in found]
