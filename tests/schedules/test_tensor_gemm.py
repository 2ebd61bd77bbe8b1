"""Convolutions and products of float16 on tensor cores, against exact sums; PoCL runs them."""

from __future__ import annotations

import pytest
from gpu_kernels import (
    GPUS,
    ChannelsApart,
    cuda_of,
    needs_nvcc,
    needs_runner,
    swap_registers,
    usage,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_of_each_kind import conv
from networks import relative_error
from sixteen_bits import ROUNDING, check_sums
from torch import nn

from tvmlcnn.schedules import planned
from tvmlcnn.targets import FLOAT16, FLOAT32, Gpu

pytestmark = needs_runner
TURING, ORIN = GPUS["cuda"], GPUS["jetson-orin-nano"]


def check(layer: nn.Module, shape: tuple[int, ...], gpu: Gpu) -> dict[str, int]:
    """Compare a layer of numbers that float16 has with exact sums of them."""
    return check_sums(layer, shape, gpu, FLOAT16, ROUNDING)


@settings(max_examples=12, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 2),
    groups=st.sampled_from([1, 1, 2]),
    inner=st.sampled_from([8, 16, 20, 33, 58, 64, 96]),
    outer=st.sampled_from([8, 16, 20, 33, 58, 64, 96]),
    kernel=st.sampled_from([1, 1, 3, 5]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    size=st.integers(5, 12),
    target=st.sampled_from(["cuda", "jetson-orin-nano"]),
)
def test_any_convolution(
    batch: int,
    groups: int,
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    dilation: int,
    size: int,
    target: str,
) -> None:
    channels, spread = (groups * inner, groups * outer), dilation if kernel < 5 else 1
    layer = nn.Conv2d(*channels, kernel, stride, kernel // 2, spread, groups, bias=False)
    kernels = check(layer, (batch, groups * inner, size, size + 1), GPUS[target])
    if groups == 1:
        assert kernels["tensor_gemm"] == 1


@pytest.mark.parametrize("gpu", [TURING, ORIN], ids=lambda gpu: str(gpu.name))
@pytest.mark.parametrize(("rows", "outer"), [(20, 130), (4, 64), (20, 7), (150, 40)])
def test_products_of_few_rows_and_channels(gpu: Gpu, rows: int, outer: int) -> None:
    """Fewer than a warp has, or not whole vectors."""
    assert check(nn.Linear(72, outer, bias=False), (rows, 72), gpu)["tensor_gemm"] == 1


def test_few_tiles_share_the_reduction() -> None:
    """Where there are few tiles, several blocks sum up parts, which a second launch adds."""
    layer = conv((1, 7, 7, 960), (1, 1, 960, 32), element=FLOAT16)
    assert planned(layer, ORIN).layout.tile.parts > 1
    assert check(nn.Conv2d(960, 32, 1, bias=False), (1, 960, 7, 7), ORIN)["tensor_gemm"] == 1


def test_channels_that_lie_apart() -> None:
    """Planes, tables, what is applied before, and a residual after."""
    error, kernels = relative_error(ChannelsApart(), (1, 24, 10, 10), ORIN, element=FLOAT16)
    assert error < 2e-3
    assert kernels["tensor_gemm"] >= 3


def test_gpus_without_the_instruction_convert_what_they_multiply() -> None:
    for name in ("jetson-nano", "jetson-xavier-nx"):
        kernels = check(nn.Conv2d(64, 64, 1, bias=False), (1, 64, 6, 6), GPUS[name])
        assert kernels["implicit_gemm"] == 1


def test_float32_keeps_to_multiply_adds() -> None:
    """TF32 would lose digits that nobody said may be lost."""
    layer = conv((1, 7, 7, 64), (1, 1, 64, 64), element=FLOAT32)
    assert planned(layer, ORIN).rule == "implicit_gemm"


def test_a_warps_instruction_of_other_registers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PoCL runs tells one order of a lane's registers from another."""
    swap_registers(monkeypatch)
    with pytest.raises(AssertionError):
        check(nn.Conv2d(64, 64, 1, bias=False), (1, 64, 6, 6), ORIN)


LAYERS = {
    "pointwise": (nn.Conv2d(96, 576, 1), (1, 96, 14, 14)),
    "3x3": (nn.Conv2d(64, 64, 3, padding=1), (1, 64, 28, 28)),
    "few channels": (nn.Conv2d(16, 24, 1), (1, 16, 56, 56)),
    "few tiles": (nn.Conv2d(960, 32, 1), (1, 960, 7, 7)),
    "large": (nn.Conv2d(256, 512, 3, padding=1), (4, 256, 28, 28)),
}


@needs_nvcc
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", ["cuda", "jetson-orin-nano", "h100"])
def test_two_blocks_fit_a_multiprocessor(name: str, target: str) -> None:
    gpu, (module, shape) = GPUS[target], LAYERS[name]
    net = nn.Sequential(module, nn.ReLU6(), nn.Conv2d(module.out_channels, 8, 1))
    for kernel in usage(net, shape, gpu, FLOAT16).values():
        assert kernel.spilled == 0
        assert 2 * kernel.registers * kernel.threads <= gpu.registers
        assert 2 * kernel.shared <= gpu.shared_of_multiprocessor


def test_copies_of_halves_are_asynchronous() -> None:
    """From sm_80 on, by as many bytes as lie together."""
    for inner, bytes in ((64, 16), (20, 8), (58, 4)):
        net = nn.Conv2d(inner, 64, 3, padding=1)
        assert f"tvmlcnn_copy_{bytes}(" in cuda_of(net, (1, inner, 14, 14), ORIN, FLOAT16)
