"""Sums of products of codes, of all kinds of layers: they are exact."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
from codes import HERE, convolution, greatest, matrix_product, module, random_codes, result_of, sums
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax

from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.constants import constant
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.passes.integer_layers import integer_layers
from tvmlcnn.targets import Cpu

few = settings(max_examples=12, deadline=None, derandomize=True)
Emit = Callable[[relax.Expr], relax.Var]
devices = pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)


@devices
@few
@given(
    inner=st.integers(1, 40),
    outer=st.integers(1, 40),
    size=st.tuples(st.integers(3, 14), st.integers(3, 14)),
    kernel=st.sampled_from([1, 1, 3]),
    strides=st.integers(1, 2),
    dtype=st.sampled_from(["uint8", "int8"]),
    zero=st.sampled_from([0.0, 0.4, 1.0]),
    seed=st.integers(0, 9),
)
def test_sums_are_exact(
    device: Cpu, inner: int, outer: int, size: tuple[int, int], kernel: int, strides: int,
    dtype: str, zero: float, seed: int,
) -> None:  # fmt: skip
    generator = np.random.default_rng(seed)
    low, high = quantized.CODES[dtype]
    code = Code(1.0, low + int(zero * (high - low)), dtype)
    codes = random_codes(generator, (1, inner, *size), dtype)
    weight = random_codes(generator, (outer, inner, kernel, kernel), "int8")
    options = {"strides": strides, "padding": kernel // 2}
    found = result_of(convolution(weight, code, **options), codes, device)
    np.testing.assert_array_equal(found, sums(codes, weight, code.zero, **options))


@devices
@few
@given(
    channels=st.one_of(st.integers(1, 40), st.sampled_from([48, 64, 96])),
    size=st.tuples(st.integers(7, 14), st.integers(7, 14)),
    kernel=st.sampled_from([1, 3, 5, 7]),
    strides=st.integers(1, 2),
    dilation=st.integers(1, 2),
    zero=st.sampled_from([0, 97, 255]),
)
def test_depthwise_sums_are_exact(
    device: Cpu, channels: int, size: tuple[int, int], kernel: int, strides: int, dilation: int,
    zero: int,
) -> None:  # fmt: skip
    generator = np.random.default_rng(channels)
    codes = random_codes(generator, (1, channels, *size), "uint8")
    weight = random_codes(generator, (channels, 1, kernel, kernel), "int8")
    options = {
        "strides": strides, "padding": kernel // 2 * dilation, "dilation": dilation,
        "groups": channels,
    }  # fmt: skip
    found = result_of(convolution(weight, Code(1.0, zero, "uint8"), **options), codes, device)
    np.testing.assert_array_equal(found, sums(codes, weight, zero, **options))


@devices
def test_the_greatest_sums_are_exact(device: Cpu) -> None:
    """Products of four codes that pass 16 bits together, which some instructions saturate."""
    codes, weight = greatest()
    found = result_of(convolution(weight, Code(1.0, 0, "uint8")), codes, device)
    np.testing.assert_array_equal(found, sums(codes, weight, 0))


@devices
@pytest.mark.parametrize("rows", [1, 7])
def test_products_with_a_matrix_are_exact(device: Cpu, rows: int) -> None:
    generator = np.random.default_rng(rows)
    codes = random_codes(generator, (rows, 50), "uint8")
    weight = random_codes(generator, (50, 21), "int8")
    graph = matrix_product(weight, Code(1.0, 33, "uint8"))
    wanted = (codes.astype(np.int64) - 33) @ weight.astype(np.int64)
    np.testing.assert_array_equal(result_of(graph, codes, device), wanted)


@devices
@few
@given(
    groups=st.sampled_from([2, 3, 4, 8]),
    inner=st.integers(1, 9),
    outer=st.integers(1, 18),
    kernel=st.sampled_from([1, 3]),
    zero=st.sampled_from([0, 97]),
)
def test_sums_of_groups_are_exact(
    device: Cpu, groups: int, inner: int, outer: int, kernel: int, zero: int
) -> None:
    generator = np.random.default_rng(inner)
    codes = random_codes(generator, (1, groups * inner, 7, 9), "uint8")
    weight = random_codes(generator, (groups * outer, inner, kernel, kernel), "int8")
    options = {"padding": kernel // 2, "groups": groups}
    found = result_of(convolution(weight, Code(1.0, zero, "uint8"), **options), codes, device)
    np.testing.assert_array_equal(found, sums(codes, weight, zero, **options))


@devices
@few
@given(
    channels=st.integers(1, 5),
    size=st.tuples(st.integers(5, 14), st.integers(5, 14)),
    kernel=st.sampled_from([1, 3, 5]),
    strides=st.integers(1, 2),
    depthwise=st.booleans(),
    seed=st.integers(0, 9),
)
def test_bytes_less_a_zero_of_each_channel(
    device: Cpu, channels: int, size: tuple[int, int], kernel: int, strides: int,
    depthwise: bool, seed: int,
) -> None:  # fmt: skip
    """They are convolved as bytes, and around the maps lies what stands for zero."""
    generator = np.random.default_rng(seed)
    codes = random_codes(generator, (1, channels, *size), "uint8")
    zeros = generator.choice([0, 3, 104, 255], channels)
    shape = (channels, 1) if depthwise else (24, channels)
    weight = random_codes(generator, (*shape, kernel, kernel), "int8")
    scales = generator.uniform(0.5, 1, len(weight)).astype(np.float32)
    options = {
        "strides": strides, "padding": kernel // 2, "groups": channels if depthwise else 1,
    }  # fmt: skip

    def graph(emit: Emit, codes: relax.Var) -> relax.Expr:
        numbers = emit(relax.op.astype(codes, "float32"))
        taken = constant(zeros.reshape(1, -1, 1, 1).astype(np.float32))
        numbers = emit(relax.op.subtract(numbers, taken))
        along = scales.reshape(-1, 1, 1, 1)
        weights = emit(quantized.dequantize_channels(constant(weight), along))
        return relax.op.nn.conv2d(numbers, weights, **options)

    centred = codes.astype(np.int64) - zeros.reshape(1, -1, 1, 1)
    with torch.no_grad():
        expected = torch.nn.functional.conv2d(
            torch.from_numpy(centred).double(), torch.from_numpy(weight).double(),
            None, strides, kernel // 2, 1, options["groups"],
        ).numpy() * scales.reshape(1, -1, 1, 1)  # fmt: skip
    found = result_of(graph, codes, device)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6 * 255 * 127 * weight.size)
    mod = integer_layers(device)(module(codes.shape, "uint8", graph))
    assert quantized.INTEGER_CONV2D in mod.script()
