"""Layers of codes on GPUs, against exact sums of integers; PoCL runs them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from codes import (
    computed,
    convolution,
    greatest,
    matrix_product,
    random_codes,
    result_of,
    sums,
)
from gpu_kernels import GPUS, needs_runner, swap_registers
from hypothesis import given, settings
from hypothesis import strategies as st
from layers_of_each_kind import conv
from tvm import relax

from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.schedules import planned
from tvmlcnn.targets import UINT8, Gpu

TURING, ORIN, XAVIER = (GPUS[name] for name in ("cuda", "jetson-orin-nano", "jetson-xavier-nx"))
RULES = {"cuda": "tensor_gemm", "jetson-orin-nano": "tensor_gemm", "jetson-xavier-nx": "dot_gemm"}
gpus = pytest.mark.parametrize("gpu", [TURING, ORIN, XAVIER], ids=lambda gpu: str(gpu.name))
CODE = Code(1.0, 97, "uint8")
few = settings(max_examples=10, deadline=None, derandomize=True)
Emit = Callable[[relax.Expr], relax.Var]


def random(shape: tuple[int, ...], dtype: str, seed: int = 0) -> np.ndarray:
    return random_codes(np.random.default_rng(seed), shape, dtype)


@needs_runner
@few
@given(
    batch=st.integers(1, 2),
    groups=st.sampled_from([1, 1, 2]),
    inner=st.sampled_from([1, 3, 8, 16, 20, 33, 64, 80]),
    outer=st.sampled_from([1, 7, 8, 16, 33, 64]),
    kernel=st.sampled_from([1, 1, 3, 5]),
    stride=st.integers(1, 2),
    size=st.integers(5, 12),
    dtype=st.sampled_from(["uint8", "int8"]),
    zero=st.sampled_from([0, 97, 255]),
    target=st.sampled_from(sorted(RULES)),
)
def test_any_convolution(
    batch: int,
    groups: int,
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    size: int,
    dtype: str,
    zero: int,
    target: str,
) -> None:
    code = Code(1.0, quantized.CODES[dtype][0] + zero, dtype)
    codes = random((batch, groups * inner, size, size + 1), dtype)
    weight = random((groups * outer, inner, kernel, kernel), "int8")
    options = {"strides": stride, "padding": kernel // 2, "groups": groups}
    found, kernels = computed(convolution(weight, code, **options), codes, GPUS[target])
    np.testing.assert_array_equal(found, sums(codes, weight, code.zero, **options))
    assert kernels.get(RULES[target]) == 1 or inner == 1


@needs_runner
@few
@given(
    channels=st.sampled_from([1, 3, 8, 24, 29]),
    size=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    zero=st.sampled_from([0, 97, 255]),
    target=st.sampled_from(sorted(RULES)),
)
def test_any_depthwise_convolution(
    channels: int,
    size: tuple[int, int],
    kernel: int,
    stride: int,
    dilation: int,
    zero: int,
    target: str,
) -> None:
    codes = random((1, channels, *size), "uint8")
    weight = random((channels, 1, kernel, kernel), "int8")
    options = {
        "strides": stride, "padding": kernel // 2 * dilation, "dilation": dilation,
        "groups": channels,
    }  # fmt: skip
    graph = convolution(weight, Code(1.0, zero, "uint8"), **options)
    found, kernels = computed(graph, codes, GPUS[target])
    np.testing.assert_array_equal(found, sums(codes, weight, zero, **options))
    assert kernels.get("depthwise") == 1 or channels == 1


@needs_runner
@gpus
def test_the_greatest_sums_are_exact(gpu: Gpu) -> None:
    codes, weight = greatest()
    found = result_of(convolution(weight, Code(1.0, 0, "uint8")), codes, gpu)
    np.testing.assert_array_equal(found, sums(codes, weight, 0))


@needs_runner
@gpus
@pytest.mark.parametrize(("rows", "steps", "outer"), [(1, 128, 40), (1, 50, 21), (20, 80, 130)])
def test_products_with_a_matrix(gpu: Gpu, rows: int, steps: int, outer: int) -> None:
    codes, weight = random((rows, steps), "uint8"), random((steps, outer), "int8")
    graph = matrix_product(weight, Code(1.0, 33, "uint8"))
    wanted = (codes.astype(np.int64) - 33) @ weight.astype(np.int64)
    np.testing.assert_array_equal(result_of(graph, codes, gpu), wanted)


@needs_runner
def test_few_tiles_share_the_reduction() -> None:
    layer = conv((1, 7, 7, 960), (1, 1, 960, 32), element=UINT8)
    assert planned(layer, TURING).layout.tile.parts > 1
    codes, weight = random((1, 960, 7, 7), "uint8"), random((32, 960, 1, 1), "int8")
    found = result_of(convolution(weight, Code(1.0, 5, "uint8")), codes, TURING)
    np.testing.assert_array_equal(found, sums(codes, weight, 5))


@needs_runner
@gpus
@pytest.mark.parametrize("activation", ["none", "relu6", "residual"])
def test_codes_are_those_of_torch(gpu: Gpu, activation: str) -> None:
    """A step at most, in less than one of a thousand, as rounding decides in float32."""
    generator = np.random.default_rng(3)
    code, after = Code(0.021, 100, "uint8"), Code(0.047, 17, "uint8")
    codes, weight = random((1, 48, 24, 24), "uint8"), random((48, 48, 1, 1), "int8")
    scales = generator.uniform(1e-3, 3e-3, 48).astype(np.float32)
    bias = generator.normal(size=(1, 48, 1, 1)).astype(np.float32)

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        result = emit(convolution(weight, code, scales)(emit, given))
        result = emit(relax.op.add(result, constant(bias)))
        if activation == "relu6":
            result = emit(relax.op.clip(result, 0.0, 6.0))
        elif activation == "residual":
            result = emit(relax.op.add(result, emit(quantized.dequantize(given, code))))
        return quantized.quantize(result, after)

    numbers = (codes.astype(np.float64) - code.zero) * code.scale
    kernel = torch.from_numpy(weight * scales.reshape(-1, 1, 1, 1).astype(np.float64))
    exact = torch.conv2d(
        torch.from_numpy(numbers), kernel, torch.from_numpy(bias.reshape(-1)).double()
    )
    result = exact.numpy()
    result = {"relu6": result.clip(0, 6), "residual": result + numbers}.get(activation, result)
    wanted = np.clip(np.rint(result / after.scale) + after.zero, 0, 255)
    found, kernels = computed(graph, codes, gpu)
    off = np.abs(found.astype(np.int64) - wanted)
    assert off.max() <= 1
    assert off.mean() < 1e-3
    assert kernels[RULES[gpu.name]] == 1


@needs_runner
def test_maxima_and_means_are_taken_of_codes() -> None:
    codes, code = random((1, 24, 13, 13), "uint8"), Code(0.25, 97, "uint8")

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        numbers = emit(quantized.dequantize(given, code))
        pooled = emit(relax.op.nn.max_pool2d(numbers, [3, 3], [2, 2], [1, 1]))
        pooled = emit(quantized.dequantize(emit(quantized.quantize(pooled, code)), code))
        return relax.op.mean(pooled, [2, 3])

    numbers = torch.from_numpy((codes.astype(np.float64) - 97) * 0.25)
    wanted = torch.nn.functional.max_pool2d(numbers, 3, 2, 1).mean((2, 3)).numpy()
    found, kernels = computed(graph, codes, ORIN)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-5)
    assert kernels["pooling"] == 2


@needs_runner
def test_bytes_of_frames_are_surrounded_by_the_zero_of_their_channel() -> None:
    frames, weight = random((2, 3, 9, 10), "uint8"), random((16, 3, 3, 3), "int8")
    zeros = np.array([124, 116, 104], np.float32).reshape(1, 3, 1, 1)

    def graph(emit: Emit, given: relax.Var) -> relax.Expr:
        numbers = emit(relax.op.astype(given, "float32"))
        centred = emit(relax.op.subtract(numbers, constant(zeros)))
        scales = np.ones((16, 1, 1, 1), np.float32)
        weights = emit(quantized.dequantize_channels(constant(weight), scales))
        return relax.op.nn.conv2d(centred, weights, padding=1)

    data = torch.from_numpy(frames - zeros.astype(np.float64))
    wanted = torch.conv2d(data, torch.from_numpy(weight.astype(np.float64)), padding=1).numpy()
    found, kernels = computed(graph, frames, ORIN)
    np.testing.assert_array_equal(found, wanted)
    assert kernels["tensor_gemm"] == 1


@needs_runner
def test_a_warps_instruction_of_other_registers_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """What PoCL runs tells one order of a lane's registers from another."""
    codes, weight = random((1, 64, 6, 6), "uint8"), random((16, 64, 1, 1), "int8")
    graph, wanted = convolution(weight, Code(1.0, 3, "uint8")), sums(codes, weight, 3)
    np.testing.assert_array_equal(result_of(graph, codes, ORIN), wanted)
    swap_registers(monkeypatch)
    assert (result_of(graph, codes, ORIN) != wanted).any()
