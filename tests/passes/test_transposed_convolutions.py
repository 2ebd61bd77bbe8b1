"""Transposed convolutions at their input's resolution: the graph, and torch's numbers."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
import pytest
import torch
from conftest import randomized
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled, relative_error
from scripted import assert_becomes, filled
from torch import nn
from tvm import relax
from tvm.ir import Op, make_node
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn import passes
from tvmlcnn.passes.transposed_convolutions import transposed_convolutions
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"]
rewrite = transposed_convolutions(X86)
few = settings(max_examples=6, deadline=None, derandomize=True)
BIAS = filled(1, 2, 1, 1)


def interleave(data: relax.Expr, table: np.ndarray, shape: tuple[int, ...]) -> relax.Call:
    """Write ``tvmlcnn.interleave`` for steps of two, from the first pixel on."""
    attrs = {"shape": list(shape), "steps": [2, 2], "crop": [0, 0], "frames": [1, 1]}
    args = [data, relax.const(table.astype("int32"))]
    return relax.Call(Op.get("tvmlcnn.interleave"), args, make_node("ir.DictAttrs", **attrs))


def test_steps_of_one_turn_the_weights() -> None:
    weight = filled(3, 2, 2, 3)
    turned = weight.transpose(1, 0, 2, 3)[:, :, ::-1, ::-1]

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 5, 6), "float32")):
            with R.dataflow():
                c = R.nn.conv2d_transpose(x, R.const(weight), padding=(0, 1, 0, 1))
                y = (R.add(c, R.const(BIAS)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 5, 6), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(np.ascontiguousarray(turned)), padding=(1, 1, 1, 1))
                y = (R.add(c, R.const(BIAS)),)
                R.output(y)
            return y

    assert_becomes(rewrite, Before, After)


def test_phases_are_channels_and_what_follows_is_done_before_they_are_moved() -> None:
    weight = filled(3, 2, 2, 2)
    # Phase (f, g) of a channel is its tap (f, g).
    phases = weight.transpose(2, 3, 1, 0).reshape(8, 3, 1, 1)
    four = np.tile(BIAS, (1, 4, 1, 1))
    table = np.arange(8).reshape(4, 2)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 5, 6), "float32")):
            with R.dataflow():
                c = R.nn.conv2d_transpose(x, R.const(weight), strides=(2, 2))
                b = R.add(c, R.const(BIAS))
                y = (R.multiply(b, R.clip(b, 0, 6)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 5, 6), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(phases))
                b = R.add(c, R.const(four))
                m = R.multiply(b, R.clip(b, 0, 6))
                y = (interleave(m, table, (1, 2, 10, 12)),)
                R.output(y)
            return y

    assert_becomes(rewrite, Before, After)


def test_weights_of_the_data_stay() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 5, 6), "float32"), w: R.Tensor((3, 2, 2, 2), "float32")):
            with R.dataflow():
                y = (R.nn.conv2d_transpose(x, w, strides=(2, 2)),)
                R.output(y)
            return y

    assert_becomes(rewrite, Before, Before)


def check(net: nn.Module, shape: tuple[int, ...]) -> None:
    """Assert torch's result, by kernels that are all convolutions of fast rules, or moves."""
    torch.manual_seed(1)
    error, kernels = relative_error(randomized(net), shape, X86)
    assert error < 2e-5
    calls = [call["function"] for call in passes.kernel_calls(compiled(net, shape, X86))]
    assert not [name for name in calls if "conv" in name and "convolution" not in name], calls
    assert set(kernels) & {"dense", "winograd", "depthwise", "grouped"}, kernels


@st.composite
def layers(draw: st.DrawFn, rank: int) -> tuple[nn.Module, tuple[int, ...]]:
    """Return a transposed convolution of any attributes, and a shape for it."""

    def each(low: int, high: int) -> tuple[int, ...]:
        return tuple(draw(st.integers(low, high)) for _ in range(rank))

    groups = draw(st.sampled_from([1, 1, 2, 5]))
    inner, outer = groups * draw(st.integers(1, 3)), groups * draw(st.integers(1, 9))
    kernel, stride, dilation = each(1, 5), each(1, 3), each(1, 2)
    sizes = each(3, 6)
    padding, after = [], []
    for n, k, s, d in zip(sizes, kernel, stride, dilation, strict=True):
        after.append(draw(st.integers(0, s - 1)))
        most = ((n - 1) * s + d * (k - 1) + after[-1]) // 2
        padding.append(draw(st.integers(0, min(6, most))))
    make = (nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)[rank - 1]
    layer = make(
        inner, outer, kernel, stride, tuple(padding), tuple(after), groups, dilation=dilation
    )
    return nn.Sequential(layer, nn.ReLU()), (draw(st.integers(1, 2)), inner, *sizes)


@few
@given(layers(2))
def test_maps(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    check(*case)


@few
@given(layers(1))
def test_lines(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    check(*case)


@few
@given(layers(3))
def test_volumes(case: tuple[nn.Module, tuple[int, ...]]) -> None:
    check(*case)


@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize(("kernel", "stride", "padding"), [(16, 8, 4), (8, 4, 2), (4, 4, 0)])
def test_large_steps(kernel: int, stride: int, padding: int, groups: int) -> None:
    """The pixel before the first one is cut off, of phases of a power of two."""
    layer = nn.ConvTranspose2d(8, 8, kernel, stride, padding, groups=groups)
    check(nn.Sequential(layer, nn.ReLU()), (1, 8, 8, 8))


@pytest.mark.parametrize(
    ("layer", "most"),
    [
        (nn.ConvTranspose2d(32, 16, 2, 2, bias=False), 1.0),
        (nn.ConvTranspose2d(32, 16, 3, 2, 1, 1, bias=False), 1.05),
        (nn.ConvTranspose2d(32, 16, 4, 2, 1, bias=False), 1.1),
        (nn.ConvTranspose2d(32, 16, 5, 3, 1, bias=False), 1.1),
    ],
)
def test_hardly_any_multiply_add_is_of_a_zero(layer: nn.Module, most: float) -> None:
    mod = compiled(layer, (1, 32, 28, 28), X86)
    weights = [array for array in passes.weights_of(mod) if array.dtype == "float32"]
    assert sum(array.size for array in weights) <= most * layer.weight.numel()


class Decoder(nn.Module):
    """A batch norm and an activation after it, and a skip connection that it is added to."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(8, 16, 3, 2, 1)
        self.up = nn.Sequential(
            nn.ConvTranspose2d(16, 8, 4, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish()
        )
        self.last = nn.Conv2d(8, 8, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = self.up(torch.relu(self.down(x)))
        return self.last(y + x) * torch.sigmoid(y.mean((2, 3), keepdim=True))


def test_in_a_decoder() -> None:
    check(Decoder(), (1, 8, 12, 12))


def test_batch_norm_and_activation_are_in_the_epilogue() -> None:
    net = nn.Sequential(randomized(Decoder().up), nn.ConvTranspose2d(8, 8, 3, 2))
    calls = passes.kernel_calls(compiled(net, (1, 16, 14, 14), X86))
    names = [call["function"].removeprefix("fused_") for call in calls]
    assert not [name for name in names if name.startswith(("add", "multiply"))], names
    multiply_adds = 14 * 14 * 16 * 8 * 16 + 28 * 28 * 8 * 8 * 9
    assert sum(call["flops"] for call in calls) >= 2 * multiply_adds
