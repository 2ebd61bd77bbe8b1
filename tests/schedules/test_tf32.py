"""Layers whose factors are rounded to TF32, against exact sums of such; PoCL runs them."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from gpu_kernels import (
    GPUS,
    ChannelsApart,
    cuda_of,
    multiply_by,
    needs_nvcc,
    needs_runner,
    swap_registers,
    usage,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_of_each_kind import conv
from networks import relative_error
from sixteen_bits import ROUNDING, assert_sums, computed
from torch import nn

from tvmlcnn.package import tensor_cores
from tvmlcnn.schedules import planned
from tvmlcnn.targets import DEVICES, FLOAT16, FLOAT32, TF32, Gpu

ORIN, TURING = GPUS["jetson-orin-nano"], GPUS["cuda"]


def rounded(numbers: np.ndarray) -> np.ndarray:
    """Return numbers of 11 bits: the nearest ones, away from zero between two."""
    fraction, exponent = np.frexp(numbers.astype(np.float64))
    kept = np.copysign(np.floor(np.abs(fraction) * 2**11 + 0.5), fraction)
    return np.ldexp(kept, exponent - 11).astype(np.float32)


def check(layer: nn.Module, shape: tuple[int, ...], gpu: Gpu = ORIN) -> dict[str, int]:
    """Compare a layer with exact sums of what its factors are rounded to."""
    data = np.random.default_rng(0).standard_normal(shape, np.float32)
    found, kernels = computed(copy.deepcopy(layer), data, gpu, TF32)
    with torch.no_grad():
        for weight in layer.parameters():
            weight.copy_(torch.from_numpy(rounded(weight.numpy())))
    assert_sums(found, layer, rounded(data), ROUNDING)
    return kernels


@needs_runner
@settings(max_examples=8, deadline=None, derandomize=True)
@given(
    batch=st.integers(1, 2),
    groups=st.sampled_from([1, 1, 2]),
    inner=st.sampled_from([8, 16, 20, 33, 58, 64]),
    outer=st.sampled_from([8, 16, 20, 33, 58, 64]),
    kernel=st.sampled_from([1, 1, 3, 5]),
    stride=st.integers(1, 2),
    size=st.integers(5, 12),
    target=st.sampled_from(["jetson-orin-nano", "h100"]),
)
def test_any_convolution(
    batch: int,
    groups: int,
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    size: int,
    target: str,
) -> None:
    channels = groups * inner, groups * outer
    layer = nn.Conv2d(*channels, kernel, stride, kernel // 2, groups=groups, bias=False)
    if groups == 1:
        kernels = check(layer, (batch, inner, size, size + 1), GPUS[target])
        assert kernels["tensor_gemm"] == 1
    else:  # whose groups multiply as many as fill tiles by tensor cores, and others do not
        error, _ = relative_error(layer, (batch, channels[0], size, size), ORIN, element=TF32)
        assert error < 1e-3


@needs_runner
@pytest.mark.parametrize(("rows", "outer"), [(20, 130), (4, 64), (20, 7), (150, 40)])
def test_products_of_few_rows_and_channels(rows: int, outer: int) -> None:
    """Fewer than a warp has, or not whole vectors."""
    assert check(nn.Linear(72, outer, bias=False), (rows, 72))["tensor_gemm"] == 1


@needs_runner
def test_few_tiles_share_the_reduction() -> None:
    """Where there are few tiles, several blocks sum up parts, which a second launch adds."""
    layer = conv((1, 7, 7, 960), (1, 1, 960, 32), element=TF32)
    assert planned(layer, ORIN).layout.tile.parts > 1
    assert check(nn.Conv2d(960, 32, 1, bias=False), (1, 960, 7, 7))["tensor_gemm"] == 1


@needs_runner
def test_what_is_no_product_of_many_stays_as_it_is() -> None:
    """Depthwise and first layers, and rows that are few, keep all digits."""
    for layer, shape, rule in (
        (nn.Conv2d(32, 32, 3, padding=1, groups=32), (1, 32, 9, 9), "depthwise"),
        (nn.Conv2d(3, 16, 3, 2, 1), (1, 3, 17, 17), "few_channels"),
        (nn.Linear(256, 40), (1, 256), "row_product"),
    ):
        error, kernels = relative_error(layer, shape, ORIN, element=TF32)
        assert kernels[rule] == 1
        assert error < 1e-5


@needs_runner
def test_channels_that_lie_apart() -> None:
    """Planes, tables, what is applied before, and a residual after."""
    error, kernels = relative_error(ChannelsApart(), (1, 24, 10, 10), ORIN, element=TF32)
    assert 1e-6 < error < 2e-3
    assert kernels["tensor_gemm"] >= 3


@needs_runner
def test_a_warps_instruction_of_other_registers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    swap_registers(monkeypatch)
    with pytest.raises(AssertionError):
        check(nn.Conv2d(64, 64, 1, bias=False), (1, 64, 6, 6))


@needs_runner
def test_what_is_cut_off_rather_than_rounded_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tensor cores leave out the lower bits of what was not rounded."""
    whole, once = tensor_cores.products_of_steps, '"=r"(a[i]) : "r"(a[i])'

    def without(source: str) -> str:
        text = whole(source)
        assert once in text
        return "\n".join(line for line in text.splitlines() if once not in line)

    multiply_by(without, monkeypatch)
    with pytest.raises(AssertionError):
        check(nn.Conv2d(64, 64, 1, bias=False), (1, 64, 6, 6))


def test_it_is_asked_for() -> None:
    """float32 keeps its digits, and nothing but TF32 changes how a GPU multiplies it."""
    dense = conv((1, 14, 14, 64), (1, 1, 64, 64), element=FLOAT32)
    assert planned(dense, ORIN).rule == "implicit_gemm"
    assert ORIN.multiplied(FLOAT32) == ORIN.rounding(FLOAT16).multiplied(FLOAT32) == FLOAT32
    assert ORIN.rounding(TF32).multiplied(FLOAT32) == TF32
    net = nn.Conv2d(64, 64, 3, padding=1)
    assert "tf32" not in cuda_of(net, (1, 64, 14, 14), ORIN)
    assert "cvt.rna.tf32.f32" in cuda_of(net, (1, 64, 14, 14), ORIN, TF32)


def test_who_computes_so() -> None:
    """Tensor cores know it from compute capability 8.0 on."""
    able = {name for name, device in DEVICES.items() if device.computes(TF32)}
    assert able == {name for name, gpu in GPUS.items() if gpu.capability >= 80}
    assert TURING.gain("tf32") is None
    assert ORIN.gain("tf32") == 4.0


LAYERS = {
    "pointwise": (nn.Conv2d(96, 576, 1), (1, 96, 14, 14)),
    "3x3": (nn.Conv2d(64, 64, 3, padding=1), (1, 64, 28, 28)),
    "few tiles": (nn.Conv2d(960, 32, 1), (1, 960, 7, 7)),
    "large": (nn.Conv2d(256, 512, 3, padding=1), (4, 256, 28, 28)),
}


@needs_nvcc
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", ["jetson-orin-nano", "h100"])
def test_two_blocks_fit_a_multiprocessor(name: str, target: str) -> None:
    gpu, (module, shape) = GPUS[target], LAYERS[name]
    net = nn.Sequential(module, nn.ReLU6(), nn.Conv2d(module.out_channels, 8, 1))
    for kernel in usage(net, shape, gpu, TF32).values():
        assert kernel.spilled == 0
        assert 2 * kernel.registers * kernel.threads <= gpu.registers
        assert 2 * kernel.shared <= gpu.shared_of_multiprocessor
