"""Sums that begin with a bias."""

from __future__ import annotations

import pytest
from tvm import te
from tvm.s_tir import Schedule

from tvmlcnn.schedules.initial_sums import begin_with_bias

ROWS, DEPTH, CHANNELS = 6, 5, 8


def scheduled(kind: str) -> Schedule:
    """Return a product of matrices, and what follows it, after the step."""
    data = te.placeholder((ROWS, DEPTH), name="data")
    weight = te.placeholder((DEPTH, CHANNELS), name="weight")
    shape = {"a map": (ROWS, CHANNELS), "by row": (ROWS, 1)}.get(kind, (1, CHANNELS))
    other = te.placeholder(shape, name="other")
    k = te.reduce_axis((0, DEPTH), "k")
    wide = 2 * CHANNELS if kind == "fewer channels" else CHANNELS
    sums = te.compute(
        (ROWS, wide),
        lambda i, j: te.sum(data[i, k] * weight[k, j % CHANNELS], axis=k),
        name="sums",
    )
    stored = te.compute((ROWS, CHANNELS), lambda i, j: sums[i, j], name="store")

    def added(i: te.Var, j: te.Var) -> object:
        total = stored[i, j]
        if kind == "product":
            return total * other[0, j]
        if kind == "twice":
            return (total + other[0, j]) * total
        return total + other[i if other.shape[0] == ROWS else 0, j if other.shape[1] > 1 else 0]

    result = te.compute((ROWS, CHANNELS), added, name="result")
    sch = Schedule(te.create_prim_func([data, weight, other, result]))
    begin_with_bias(sch, sch.get_sblock("sums"))
    return sch


def test_a_bias_moves() -> None:
    sch = scheduled("by channel")
    sums, result = (sch.get(sch.get_sblock(name)) for name in ("sums", "result"))
    assert str(sums.init.value).startswith("other[")
    assert "other" not in str(result.body)


@pytest.mark.parametrize("kind", ["a map", "by row", "product", "twice", "fewer channels"])
def test_anything_else_stays(kind: str) -> None:
    sch = scheduled(kind)
    sums, result = (sch.get(sch.get_sblock(name)) for name in ("sums", "result"))
    assert float(sums.init.value.value) == 0
    assert "other" in str(result.body)
