"""Arithmetic modulo a power of two, against numpy's, which wraps around."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tvm
from tvm import te
from tvm.ir import Expr
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn import wrapping_arithmetic as wrapping

LEFT = np.array([2**31 - 1, -(2**31), 2**31 - 1, 65537, -7, 3, 2**30, -(2**30)], np.int32)
RIGHT = np.array([1, -1, 2**31 - 1, 65537, 2**29, 5, 2**30, 2**30], np.int32)


def _function(define: Callable[..., Expr], dtype: str, vectors: bool) -> PrimFunc:
    left, right = (te.placeholder((len(LEFT),), dtype, name) for name in ("left", "right"))
    result = te.compute((len(LEFT),), lambda i: define(left(i), right(i)), name="result")
    sch = Schedule(te.create_prim_func([left, right, result]).with_attr("global_symbol", "main"))
    if vectors:
        sch.vectorize(sch.get_loops(sch.get_sblock("result"))[-1])
    return sch.mod["main"]


@pytest.mark.parametrize("vectors", [False, True])
@pytest.mark.parametrize("dtype", ["int32", "int16", "float32"])
@pytest.mark.parametrize("name", ["add", "subtract", "multiply"])
def test_it_wraps_around(name: str, dtype: str, vectors: bool) -> None:
    arrays = [array.astype(dtype) for array in (LEFT, RIGHT)]
    function = _function(getattr(wrapping, name), dtype, vectors)
    compiled = tvm.compile(tvm.IRModule({"main": function}), target="llvm")
    out = tvm.runtime.tensor(np.zeros(len(LEFT), dtype))
    compiled["main"](*map(tvm.runtime.tensor, arrays), out)
    with np.errstate(over="ignore"):
        wanted = getattr(np, name)(*arrays)
    np.testing.assert_array_equal(out.numpy(), wanted)


@pytest.mark.parametrize("name", ["add", "subtract", "multiply"])
def test_nothing_is_promised_of_it(name: str) -> None:
    """LLVM may do anything with a sum of int32 that is said not to leave the type, and does."""
    function = _function(getattr(wrapping, name), "int32", vectors=True)
    compiled = tvm.compile(tvm.IRModule({"main": function}), target="llvm")
    instruction = {"subtract": "sub", "multiply": "mul"}.get(name, name)
    text = compiled.mod.inspect_source("ll")
    assert f"{instruction} <8 x i32>" in text
    assert f"{instruction} nsw <8 x i32>" not in text


@pytest.mark.parametrize("largest", [(-(2**15), -(2**15)), (2**15 - 1, -(2**15))])
def test_products_are_wider(largest: tuple[int, int]) -> None:
    left, right = (te.placeholder((8,), "int16", name) for name in ("left", "right"))
    result = te.compute((8,), lambda i: wrapping.widened_product(left(i), right(i)))
    compiled = tvm.compile(te.create_prim_func([left, right, result]), target="llvm")
    out = tvm.runtime.tensor(np.zeros(8, np.int32))
    arrays = [np.full(8, number, np.int16) for number in largest]
    compiled(*map(tvm.runtime.tensor, arrays), out)
    np.testing.assert_array_equal(out.numpy(), largest[0] * largest[1])
