"""What is quantized of a network: the ends of units, and nothing within them."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from graphs import affine_in, affine_out, calls, computing, is_affine, of
from torch import nn
from torch.nn import functional as F

from tvmlcnn.models.conv_bn import conv_bn
from tvmlcnn.models.mobilenet_v2 import InvertedResidual
from tvmlcnn.models.mobilenet_v3 import InvertedResidualV3
from tvmlcnn.models.squeezenet import Fire
from tvmlcnn.quantization.lockstep import DEQUANTIZE, DEQUANTIZE_WEIGHT, QUANTIZE

ACTIVATIONS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "relu": F.relu,
    "relu6": F.relu6,
    "hardswish": F.hardswish,
    "silu": F.silu,
    "hardsigmoid": F.hardsigmoid,
    "sigmoid": torch.sigmoid,
    "leaky_relu": lambda x: F.leaky_relu(x, 0.1),
    "gelu": F.gelu,
    "written swish": lambda x: x * torch.sigmoid(x),
    "written hard swish": lambda x: x * F.relu6(x + 3) / 6,
    "written mish": lambda x: x * torch.tanh(F.softplus(x)),
}


class Unit(nn.Module):
    def __init__(self, act: Callable[[torch.Tensor], torch.Tensor], groups: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, groups=groups, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.act = act
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.act(x + self.norm(self.conv(x))))


@pytest.mark.parametrize("act", ACTIVATIONS)
def test_convolution_norm_shortcut_and_activation_are_one_unit(act: str) -> None:
    result = of(Unit(ACTIVATIONS[act], groups=8), (1, 8, 6, 6))
    first, *rest, last = computing(result)
    assert affine_in(first) is not None
    assert affine_out(rest[-1]) == affine_in(last)
    assert affine_out(last) is None  # what the network returns stays float32
    # The input is read twice; nothing is quantized but it and the end of the unit.
    assert sum(node.target is QUANTIZE for node in calls(result)) == 2
    assert sum(node.target is DEQUANTIZE for node in calls(result)) == 3
    assert all(not is_affine(user) for node in [first, *rest[:-1]] for user in node.users)
    assert not calls(result, "batch_norm")


def test_weights_are_bytes_by_channel_and_activations_by_tensor() -> None:
    result = of(Unit(F.relu, groups=2), (1, 8, 6, 6))
    state = result.program.state_dict | result.program.constants
    held = [v for v in state.values() if isinstance(v, torch.Tensor) and v.dtype == torch.int8]
    assert sorted(tuple(v.shape) for v in held) == [(4, 8, 1, 1), (8, 4, 3, 3)]
    assert all(int(v.min()) >= -127 and int(v.abs().max()) == 127 for v in held)
    for node in calls(result, "dequantize_per_channel"):
        assert node.target is DEQUANTIZE_WEIGHT
        assert node.args[3:6] == (0, -127, 127)
    for node in [one for one in calls(result) if one.target in (QUANTIZE, DEQUANTIZE)]:
        assert node.args[3:] == (0, 255, torch.uint8)


class Shuffle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = conv_bn(3, 8)
        self.branch = conv_bn(4, 4)
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = self.first(x).chunk(2, 1)
        x = torch.cat([left, self.branch(right)], 1)
        x = x.unflatten(1, (2, -1)).transpose(1, 2).flatten(1, 2)
        return self.last(F.max_pool2d(x, 2))


def test_what_only_moves_shares_one_scale() -> None:
    result = of(Shuffle(), (1, 3, 8, 8))
    moves = ["cat", "unflatten", "transpose", "flatten", "max_pool2d", "chunk"]
    found = {affine_in(calls(result, f"aten.{name}.")[0]) for name in moves}
    found |= {affine_in(calls(result, "aten.cat.")[0], 1)}
    found |= {affine_out(node) for node in calls(result, "getitem")}
    assert len(found) == 1
    assert None not in found


def test_a_fire_joins_two_convolutions_of_one_scale() -> None:
    fire = nn.Sequential(Fire(16, 4, 8), nn.Conv2d(16, 4, 1))
    result = of(fire, (1, 16, 8, 8))
    (join,) = calls(result, "aten.cat.")
    assert affine_in(join) == affine_in(join, 1) == affine_out(join) is not None


def test_squeeze_and_excitation_takes_and_gives_bytes() -> None:
    block = nn.Sequential(InvertedResidualV3(8, 16, 8), nn.Conv2d(8, 4, 1))
    result = of(block, (1, 8, 8, 8))
    (gate,) = calls(result, "aten.mul.")
    (mean,) = calls(result, "aten.mean.")
    for node in (gate, mean):
        assert affine_in(node) is not None
        assert affine_out(node) is not None
    assert affine_in(gate, 1) is not None
    assert affine_in(mean) == affine_in(gate)
    assert affine_out(mean) != affine_in(mean)  # what is averaged spreads less


def test_batch_norm_before_a_convolution_takes_and_gives_bytes() -> None:
    result = of(_preactivated(), (1, 8, 8, 8))
    (norm,) = calls(result, "batch_norm")
    assert affine_in(norm) is not None
    (relu,) = [user for user in norm.users if "relu" in str(user.target)]
    assert affine_out(relu) is not None


def _preactivated() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(8, 8, 1), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 4, 1)
    )


class Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.norm = nn.LayerNorm(16)
        self.all = nn.Linear(16, 48)
        self.out = nn.Linear(16, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.patches(x).flatten(2).transpose(1, 2))
        query, key, value = self.all(x).chunk(3, -1)
        return self.out(torch.softmax(query @ key.transpose(1, 2), -1) @ value).softmax(-1)


def test_what_has_no_integer_form_is_given_float32() -> None:
    result = of(Attention(), (1, 3, 16, 16))
    for node in calls(result, "softmax") + calls(result, "matmul") + calls(result, "layer_norm"):
        assert not any(is_affine(source) for source in node.all_input_nodes)
    for node in calls(result, "linear"):
        assert affine_in(node) is not None


class Reused(nn.Module):
    """One convolution before two batch norms, and once before none."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(8, 8, 3, padding=1, bias=False)
        self.one, self.other = nn.BatchNorm2d(8), nn.BatchNorm2d(8)
        for norm in (self.one, self.other):
            norm.running_mean.normal_()
            norm.running_var.uniform_(0.5, 2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.other(self.conv(F.relu(self.one(self.conv(x)))))
        last = self.conv(x)
        return self.one(last) + last


class OwnStatistics(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(8, 8, 3), nn.Conv2d(8, 4, 1)
        self.norm = nn.BatchNorm2d(8, track_running_stats=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(F.relu(self.norm(self.conv(x))))


class Transposed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.norm = nn.ConvTranspose2d(8, 8, 2, 2, groups=2), nn.BatchNorm2d(8)
        self.norm.running_var.uniform_(0.5, 2)
        self.last = nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.norm(self.conv(x)))


@pytest.mark.parametrize("kind", [Reused, OwnStatistics, Transposed])
def test_what_must_not_be_folded_is_not(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    module = kind().eval()
    assert of(module, (1, 8, 8, 8)).fidelity.snr["0"] > 25


@pytest.mark.parametrize("block", [InvertedResidual(8, 8, 1, 6), InvertedResidualV3(8, 16, 8)])
def test_layers_keep_their_names(block: nn.Module) -> None:
    result = of(block, (1, 8, 8, 8))
    for node in [n for n in result.program.graph.nodes if n.op == "call_function"]:
        assert "nn_module_stack" in node.meta
    named = {list(n.meta["nn_module_stack"].values())[-1][0] for n in calls(result, "conv2d")}
    wanted = {name for name, layer in block.named_modules() if isinstance(layer, nn.Conv2d)}
    assert named == wanted


def test_layers_can_be_kept_by_patterns() -> None:
    network = nn.Sequential(conv_bn(3, 8), conv_bn(8, 8), nn.Conv2d(8, 4, 1))
    result = of(network, (1, 3, 8, 8), keep_float=["1.*"])
    first, middle, last = calls(result, "conv2d")
    assert result.kept == ("1.0",)
    assert affine_in(middle) is None
    assert affine_in(first) is not None
    assert affine_in(last) is not None


class Overwriting(nn.Module):
    """Overwrites parts of a map, and what is read again, as well as what is not."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(8, 8, 3, padding=1, bias=False), nn.Conv2d(8, 4, 1)
        self.norm = nn.BatchNorm2d(8)
        self.norm.running_var.uniform_(0.5, 2)
        self.act = nn.ReLU(inplace=True)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.norm(self.conv(x))
        part = x[:, :4]
        part.mul_(-2)
        y = self.act(x)
        y[:, 4:] += 1
        return self.last(self.act(self.conv(y)) + x)


class InPlace(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv, self.last = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.conv(x)
        y = F.relu(x, inplace=True)
        y += 1
        return self.last(y)


@pytest.mark.parametrize("kind", [Overwriting, InPlace])
def test_what_is_overwritten_is_read_so(kind: type[nn.Module]) -> None:
    torch.manual_seed(0)
    result = of(kind(), (1, 8, 8, 8))
    x = torch.randn(1, 8, 8, 8)
    with torch.no_grad():
        wanted, found = result_of_plain(kind, x), result.program.module()(x)
    assert (found - wanted).square().mean() < 0.003 * wanted.square().mean()
    names = [str(node.target) for node in computing(result)]
    assert not any("_." in name for name in names), names


def result_of_plain(kind: type[nn.Module], x: torch.Tensor) -> torch.Tensor:
    """Return what a module computes that is made as the quantized one was."""
    torch.manual_seed(0)
    return kind().eval()(x)
