"""What quantizing does to weights and layers beside rounding them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from graphs import affine_in, calls, of
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.frontend.torch_export import exported_program
from tvmlcnn.models import create
from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.quantization import Calibration, quantize, quantized
from tvmlcnn.quantization.equalization import equalize
from tvmlcnn.quantization.lockstep import Converted
from tvmlcnn.targets import IN_PAIRS, WeightBounds

ZOO = ["mobilenet_v1?width=0.25", "mobilenet_v2?width=0.25", "mobilenet_v3_small", "shufflenet_v1"]
ZOO += ["shufflenet_v2_x0_5", "squeezenet1_1", "mobilefacenet", "se_resnet50", "densenet121"]


def _depthwise(act: type[nn.Module], spread: float = 30) -> nn.Sequential:
    """Return a network whose channels before a depthwise convolution are of different ranges."""
    torch.manual_seed(0)
    first, second = nn.Conv2d(4, 8, 1), nn.Conv2d(8, 8, 3, groups=8)
    first.weight.data *= torch.logspace(0, -np.log10(spread), 8).reshape(8, 1, 1, 1)
    first.bias.data *= torch.logspace(0, -np.log10(spread), 8)
    second.weight.data /= torch.logspace(0, -np.log10(spread), 8).reshape(8, 1, 1, 1)
    return nn.Sequential(first, act(), second, nn.ReLU(), nn.Conv2d(8, 4, 1)).eval()


@pytest.mark.parametrize("act", [nn.ReLU, nn.ReLU6, nn.PReLU, nn.Identity])
def test_equalizing_changes_no_result(act: type[nn.Module]) -> None:
    network = _depthwise(act)
    inputs = [[torch.randn(1, 4, 8, 8)] for _ in range(4)]
    graph = copy.deepcopy(exported_program(network, tuple(inputs[0]), {}).module())
    with torch.no_grad():
        assert equalize(graph, inputs) == 1
        for each in inputs:
            torch.testing.assert_close(graph(*each), network(*each), rtol=1e-5, atol=1e-5)
        ranges = (graph.get_parameter("0.weight") / network[0].weight).flatten(1).amax(1)
    assert ranges.max() > 2


def test_equalizing_makes_uneven_channels_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    network = _depthwise(nn.ReLU)
    with_it = of(network, (1, 4, 12, 12)).fidelity.snr["0"]
    monkeypatch.setattr(quantize, "_CORRECTED", 0)
    monkeypatch.setattr(quantize, "correct_biases", lambda *_: None)
    assert with_it > of(network, (1, 4, 12, 12)).fidelity.snr["0"] + 3


def test_swish_is_not_equalized() -> None:
    graph = exported_program(_depthwise(nn.SiLU), (torch.randn(1, 4, 8, 8),), {}).module()
    assert equalize(graph, [[torch.randn(1, 4, 8, 8)]]) == 0


def test_biases_take_the_mean_error_away() -> None:
    """On what they were corrected for, the mean of each channel is float32's."""
    torch.manual_seed(0)
    network = nn.Sequential(conv_bn(3, 8), conv_bn(8, 8, groups=8, activation=None)).eval()
    examples = [(np.random.default_rng(n).random((1, 3, 12, 12), np.float32),) for n in range(8)]
    result = quantized(network, Calibration(examples, examples, "a test"))
    off = torch.zeros(8)
    with torch.no_grad():
        for (example,) in examples:
            x = torch.from_numpy(example)
            off += (result.program.module()(x) - network(x)).mean((0, 2, 3))
    assert off.abs().max() / 8 < 1e-5


def test_weights_of_dense_layers_can_be_smaller() -> None:
    """Depthwise ones keep their bits: theirs are what a network is most sensitive to."""
    torch.manual_seed(0)
    network = nn.Sequential(conv_bn(3, 8), conv_bn(8, 8, groups=8), nn.Flatten()).eval()
    network = nn.Sequential(network, nn.Linear(8 * 12 * 12, 4))
    examples = [(np.random.default_rng(n).random((1, 3, 12, 12), np.float32),) for n in range(4)]
    bounds = WeightBounds(largest=64)
    result = quantized(network, Calibration(examples, examples, "a test"), bounds=bounds)
    largest = {
        tuple(value.shape[:2]): int(value.abs().max())
        for value in result.program.state_dict.values()
        if value.dtype == torch.int8
    }
    assert largest == {(8, 3): 64, (8, 1): 127, (4, 8 * 12 * 12): 64}


@pytest.mark.parametrize("kernel", [1, 3])
@pytest.mark.parametrize("inner", [16, 48])
def test_weights_of_dense_layers_are_small_together_where_codes_lie_in_pairs(
    kernel: int, inner: int
) -> None:
    """Of all even inner channels of sixteen, and of all odd ones, at each tap; no smaller ones."""
    torch.manual_seed(0)
    layer = nn.Conv2d(inner, 40, kernel).eval()
    layer.weight.data[:8] = 1.0
    layer.weight.data[8:16, 1::2] = 0
    layer.weight.data[16:24] = torch.randn(8, inner, kernel, kernel) ** 5  # a few large ones
    examples = [(np.random.default_rng(n).random((1, inner, 5, 5), np.float32),) for n in range(4)]
    result = quantized(layer, Calibration(examples, examples, "a test"), bounds=IN_PAIRS)
    (codes,) = (v for v in result.program.state_dict.values() if v.dtype == torch.int8)
    sums = codes.abs().int().reshape(40, inner // 16, 8, 2, -1).sum(2).flatten(1).amax(1)
    assert sums.max() <= IN_PAIRS.together
    largest = codes.abs().flatten(1).amax(1)
    assert largest.max() == IN_PAIRS.largest
    assert torch.all((largest == IN_PAIRS.largest) | (sums >= IN_PAIRS.together - 8))


class Hopeless(nn.Module):
    """Its second layer takes what eight bits cannot hold beside what it needs."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(8, 8), nn.Linear(9, 8, bias=False)
        self.third = nn.Linear(8, 4, bias=False)
        self.second.weight.data[:, 8] = 0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.first(x)
        x = torch.cat([x, 1e4 * (1 + x[:, :1].square())], 1)
        return self.third(torch.relu(self.second(x)))


def test_layers_whose_error_is_too_large_stay_float32() -> None:
    result = of(Hopeless(), (4, 8))
    assert result.kept == ("second",)
    assert result.fidelity.snr["0"] > 20
    assert any("second" in note for note in result.notes)
    second = calls(result, "linear")[1]
    assert affine_in(second) is None


class Logarithm(nn.Module):
    """Its second layer takes the logarithm of zeros."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second, self.third = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.second(torch.relu(self.first(x)).log())
        return self.third(torch.nan_to_num(x, 0, 1, -1))


def test_layers_whose_values_have_no_range_stay_float32() -> None:
    result = of(Logarithm(), (4, 8))
    assert result.kept == ("second",)
    assert [note.partition(":")[0] for note in result.notes] == ["second stays float32"]
    assert affine_in(calls(result, "linear")[2]) is not None


class Rounded(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        code = 0.1, 0, -128, 127, torch.int8
        codes = torch.ops.quantized_decomposed.quantize_per_tensor.default(x, *code)
        return torch.ops.quantized_decomposed.dequantize_per_tensor.default(codes, *code)


def test_what_is_quantized_already_is_told() -> None:
    with pytest.raises(UserError, match="quantized already") as caught:
        of(Rounded(), (1, 4))
    assert caught.value.parameters == ("dtype",)


def test_a_pattern_that_fits_nothing_is_told() -> None:
    with pytest.raises(UserError, match="clasifier") as caught:
        of(nn.Sequential(nn.Linear(4, 4)), (1, 4), keep_float=["clasifier"])
    assert caught.value.parameters == ("keep_float",)


class Shuffling(nn.Module):
    """Splits, convolves and joins, as ShuffleNet V2's units do, once after another."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = conv_bn(3, 16)
        self.units = nn.ModuleList([conv_bn(8, 8) for _ in range(3)])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.stem(x)
        for unit in self.units:
            kept, left = x.chunk(2, 1)
            x = torch.cat([kept, unit(left)], 1).unflatten(1, (2, 8)).transpose(1, 2).flatten(1, 2)
        return x.mean((2, 3))


def test_what_moves_numbers_moves_one_scale() -> None:
    """Nothing is requantized between units: whatever takes a part takes it as it was given."""
    torch.manual_seed(0)
    result = of(Shuffling().eval(), (1, 3, 12, 12))
    convolved = [affine_in(node) for node in calls(result, "conv2d")[1:]]
    assert len(set(convolved)) == 1
    assert {affine_in(node) for node in calls(result, "chunk")} == set(convolved)


def test_random_calibration_is_noted() -> None:
    array = np.random.default_rng(0).random((1, 4), np.float32)
    data = Calibration([(array,)], [(array,)], "random numbers", is_random=True)
    assert any("random" in note for note in quantized(nn.Linear(4, 4), data).notes)


def test_the_module_is_left_as_it_is() -> None:
    network = conv_bn(3, 8).eval()
    before = copy.deepcopy(network.state_dict())
    of(network, (1, 3, 8, 8))
    for name, value in network.state_dict().items():
        torch.testing.assert_close(value, before[name], rtol=0, atol=0)


def test_torch_has_its_threads_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small operators are run on one thread, since several that wait spin on busy cores."""
    threads, seen = torch.get_num_threads(), []
    torch.set_num_threads(2)
    monkeypatch.setattr(
        quantize, "float_graph", lambda *_: seen.append(torch.get_num_threads()) or 1 / 0
    )
    try:
        with pytest.raises(ZeroDivisionError):
            of(nn.ReLU(), (1, 4, 8, 8))
        assert (seen, torch.get_num_threads()) == ([1], 2)
    finally:
        torch.set_num_threads(threads)


def test_weights_are_dequantized_once(monkeypatch: pytest.MonkeyPatch) -> None:
    program = of(_depthwise(nn.ReLU), (1, 4, 12, 12)).program.module()
    runs: list[str] = []
    plain = torch.fx.Interpreter.call_function

    def counted(self: object, target: object, args: object, kwargs: object) -> object:
        runs.append(str(target))
        return plain(self, target, args, kwargs)

    monkeypatch.setattr(torch.fx.Interpreter, "call_function", counted)
    x = torch.randn(1, 4, 12, 12)
    converted = Converted(program)
    with torch.no_grad():
        for _ in range(3):
            torch.testing.assert_close(converted.run(x), program(x), rtol=0, atol=0)
    assert sum("dequantize_per_channel" in name for name in runs) == 3
    assert sum("dequantize_per_tensor" in name for name in runs) >= 9


@pytest.mark.slow
@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo_compute_nearly_the_same(name: str) -> None:
    zoo = create(name)
    result = of(zoo.module, zoo.input_shape)
    assert result.fidelity.snr["0"] > 18
    assert result.kept == ()
    for node in calls(result, "conv2d"):
        assert affine_in(node) is not None


class Named(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(3, 8, 3), nn.Linear(8, 4)

    def forward(
        self, x: torch.Tensor, weight: torch.Tensor, count: torch.Tensor | None = None
    ) -> dict[str, torch.Tensor]:
        y = self.conv(x).mean((2, 3))
        return {"scores": self.last(y) * weight, "map": y, "count": count + 1}


def test_inputs_by_name_and_several_outputs() -> None:
    generator = np.random.default_rng(0)
    examples = [
        (
            generator.random((1, 3, 8, 8), np.float32),
            generator.random((1, 4), np.float32),
            np.array([n]),
        )
        for n in range(4)
    ]
    data = Calibration(examples, examples, "a test")
    result = quantized(Named().eval(), data, keywords=("count",))
    tensors = [torch.from_numpy(array) for array in examples[2]]
    found = result.program.module()(*tensors[:2], count=tensors[2])
    assert found["count"].item() == 3
    assert set(result.fidelity.snr) == {"0", "1"}
    assert min(result.fidelity.snr.values()) > 30


def test_exported_programs_can_be_quantized() -> None:
    network = nn.Sequential(conv_bn(3, 8), nn.Conv2d(8, 4, 1)).eval()
    program = exported_program(network, (torch.randn(1, 3, 8, 8),), {})
    generator = np.random.default_rng(0)
    examples = [(generator.random((1, 3, 8, 8), np.float32),) for _ in range(4)]
    result = quantized(program.module(), Calibration(examples, examples, "a test"))
    assert result.fidelity.snr["0"] > 30
    assert len(calls(result, "dequantize_per_channel")) == 2
