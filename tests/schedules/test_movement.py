"""Transposes and shuffles of pixels: right, and by tiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, result_of
from tvm import relax

from tvmlcnn import pipeline
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=20, deadline=None, derandomize=True)


@few
@given(
    shape=st.lists(st.integers(1, 24), min_size=2, max_size=5),
    data=st.data(),
)
def test_permuted_axes(shape: list[int], data: st.DataObject) -> None:
    axes = data.draw(st.permutations(range(len(shape))))
    array = np.arange(np.prod(shape), dtype="float32").reshape(shape)
    module = graph([shape], lambda _, x: relax.op.permute_dims(x, axes))
    result, _ = result_of(module, [array], X86)
    np.testing.assert_array_equal(result, array.transpose(axes))


@pytest.mark.parametrize("channels", [4, 8])
def test_code_for_bytes_of_odd_sides(channels: int) -> None:
    """LLVM came to no end with the bytes of four maps of 11x6, for AVX-512."""
    shape = (1, channels, 11, 6)
    device = replace(X86, tvm=X86.tvm | {"mcpu": "skylake-avx512"})
    module = graph([shape], lambda _, x: relax.op.permute_dims(x, (0, 2, 3, 1)), "uint8")
    assert assembly_of(pipeline.run(module, device), device)


@pytest.mark.parametrize("factor", [2, 3])
@pytest.mark.parametrize("up", [True, False])
def test_shuffled_pixels(factor: int, up: bool) -> None:
    channels, rows, columns = 4, 6, 12
    cut = (1, channels, factor, factor, rows, columns)
    if not up:
        cut = (1, channels, rows, factor, columns, factor)
    axes = [0, 1, 4, 2, 5, 3] if up else [0, 1, 3, 5, 2, 4]
    whole = (1, channels, rows * factor, columns * factor)
    apart = (1, channels * factor * factor, rows, columns)
    before, after = (apart, whole) if up else (whole, apart)

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        split = builder.emit(relax.op.reshape(x, cut))
        return relax.op.reshape(builder.emit(relax.op.permute_dims(split, axes)), after)

    array = np.arange(np.prod(before), dtype="float32").reshape(before)
    result, _ = result_of(graph([before], define), [array], X86)
    np.testing.assert_array_equal(result, array.reshape(cut).transpose(axes).reshape(after))
