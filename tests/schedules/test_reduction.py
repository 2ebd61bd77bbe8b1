"""Sums and extrema of the innermost axes, and means of large maps, against float64."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import graph, result_of
from tvm import relax

from tvmlcnn.graph.constants import constant
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=20, deadline=None, derandomize=True)
OPERATORS = {
    "sum": (relax.op.sum, np.sum),
    "mean": (relax.op.mean, np.mean),
    "max": (relax.op.max, np.max),
    "min": (relax.op.min, np.min),
}


def check(kind: str, shape: tuple[int, ...], axes: list[int], keep: bool) -> dict[str, int]:
    operator, oracle = OPERATORS[kind]
    data = np.random.default_rng(0).standard_normal(shape).astype("float32") + 100
    module = graph([shape], lambda _, x: operator(x, axes, keep))
    result, kernels = result_of(module, [data], X86)
    wanted = oracle(data.astype("float64"), axis=tuple(axes), keepdims=keep)
    np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=0)
    return kernels


@few
@given(
    kind=st.sampled_from(sorted(OPERATORS)),
    outer=st.lists(st.integers(1, 5), min_size=1, max_size=2),
    inner=st.lists(st.integers(1, 90), min_size=1, max_size=2),
    keep=st.booleans(),
)
def test_innermost_axes(kind: str, outer: list[int], inner: list[int], keep: bool) -> None:
    axes = list(range(len(outer), len(outer) + len(inner)))
    assert check(kind, (*outer, *inner), axes, keep) == {"reduction": 1}


@pytest.mark.parametrize("kind", sorted(OPERATORS))
def test_one_long_row(kind: str) -> None:
    assert check(kind, (1, 700, 701), [1, 2], False) == {"reduction": 1}


@pytest.mark.parametrize(
    ("rows", "columns"), [(7, 7), (8, 8), (14, 14), (33, 31), (37, 41), (112, 112), (512, 300)]
)
@pytest.mark.parametrize("spread", [0, 1])
def test_mean_of_a_map_with_channels_last(rows: int, columns: int, spread: int) -> None:
    """Of equal numbers too, whose roundings all go the same way."""
    generator = np.random.default_rng(0)
    data = spread * generator.standard_normal((1, 16, rows, columns)) + 1
    data = (data * generator.random((1, 16, 1, 1)) * 100).astype("float32") + np.float32(50)
    identity = constant(np.eye(16, dtype="float32").reshape(16, 16, 1, 1))

    def define(builder: relax.BlockBuilder, x: relax.Expr) -> relax.Expr:
        return relax.op.mean(builder.emit(relax.op.nn.conv2d(x, identity)), [2, 3])

    result, kernels = result_of(graph([data.shape], define), [data], X86)
    np.testing.assert_allclose(result, data.astype("float64").mean((2, 3)), rtol=1e-6, atol=0)
    assert kernels["pooling"] == 1


@pytest.mark.parametrize("size", [50, 900, 20_011, 400_000])
@pytest.mark.parametrize("axis", [0, 1])
def test_mean_of_equal_numbers(size: int, axis: int) -> None:
    """Their roundings all go the same way."""
    numbers = np.random.default_rng(0).random(64).astype("float32")
    data = np.repeat(np.expand_dims(numbers, axis), size, axis)
    module = graph([data.shape], lambda _, x: relax.op.mean(x, [axis], False))
    result, kernels = result_of(module, [data], X86)
    np.testing.assert_allclose(result, numbers, rtol=1e-6, atol=0)
    assert kernels == {("default", "reduction")[axis]: 1}


@few
@given(
    kind=st.sampled_from(sorted(OPERATORS)),
    outer=st.lists(st.integers(1, 5), max_size=2),
    along=st.lists(st.integers(1, 90), min_size=1, max_size=2),
    inner=st.lists(st.integers(1, 20), min_size=1, max_size=2),
    keep=st.booleans(),
)
def test_axes_before_the_innermost(
    kind: str, outer: list[int], along: list[int], inner: list[int], keep: bool
) -> None:
    axes = list(range(len(outer), len(outer) + len(along)))
    check(kind, (*outer, *along, *inner), axes, keep)


@pytest.mark.parametrize(
    ("shape", "axes", "rule"),
    [
        ((3, 5), [1], "reduction"),
        ((3, 40), [1], "reduction"),
        ((3, 700), [1], "reduction"),
        ((3, 700), [0], "default"),
        ((3, 5, 8), [0, 2], "reduction"),
        ((3, 5), None, "reduction"),
    ],
)
@pytest.mark.parametrize(("kind", "value"), [("max", -np.inf), ("min", np.inf)])
def test_infinities(
    kind: str, value: float, shape: tuple[int, ...], axes: list[int] | None, rule: str
) -> None:
    """They are none of the numbers that a reduction may begin with."""
    operator, _ = OPERATORS[kind]
    for keep in (False, True):
        data = np.full(shape, value, np.float32)
        module = graph([shape], lambda _, x, keep=keep: operator(x, axes, keep))
        result, kernels = result_of(module, [data], X86)
        assert kernels[rule] == 1
        expected = data.max(tuple(axes) if axes else None, keepdims=keep)
        np.testing.assert_array_equal(result, expected)


@few
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 90),
    ways=st.integers(1, 3),
    last=st.booleans(),
)
def test_what_rows_are_computed_with_in_several_ways(
    rows: int, columns: int, ways: int, last: bool
) -> None:
    """Each way is of the maxima's shape; what reads them all is larger."""

    def build(builder: relax.BlockBuilder, data: relax.Expr) -> relax.Expr:
        most = builder.emit(relax.op.max(data, [-1], True))
        for number in range(ways):
            way = builder.emit(relax.op.add(most, relax.const(number + 1.0, "float32")))
            data = builder.emit(relax.op.multiply(data, way))
        return relax.op.multiply(data, most) if last else relax.op.abs(data)

    data = np.random.default_rng(0).standard_normal((rows, columns)).astype("float32")
    most = data.max(-1, keepdims=True)
    expected = data * np.prod([most + n + 1 for n in range(ways)], axis=0)
    expected = expected * most if last else abs(expected)
    result, _ = result_of(graph([data.shape], build), [data], X86)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)
