"""Weights that are loaded several vectors at a time: which, and that sums stay what they are."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import tvm
import tvm_ffi
from networks import assembly, relative_error
from torch import nn
from tvm import tirx
from tvm.ir import Call
from tvm.script import tirx as T

from tvmlcnn.package.loads_of_vectors import loads_of_vectors
from tvmlcnn.targets import DEVICES


def loads(function: tirx.PrimFunc, target: str = "rpi4") -> list[str]:
    """Return the functions of loads that a function calls after the pass."""
    found: list[str] = []

    def visit(call: Call) -> None:
        name = str(call.args[0]) if call.args else ""
        if "tvmlcnn_ld1" in name:
            found.append(name.strip('"'))

    made = loads_of_vectors(DEVICES[target])(tvm.IRModule({"main": function}))
    tvm_ffi.structural_walk(made["main"].body, (Call, visit))
    return found


def sums(vectors: int, apart: int = 4, into: bool = False, pixels: int = 2) -> tirx.PrimFunc:
    """Return a step of sums of products, whose weights are so far apart, or also written."""

    @T.prim_func(s_tir=True)
    def function(
        values: T.Buffer((64,), "float32"),
        weights: T.Buffer((1024,), "float32"),
        out: T.Buffer((1024,), "float32"),
    ) -> None:
        number = T.decl_buffer((64,), data=values.data)
        weight = T.decl_buffer((1024,), data=weights.data)
        result = T.decl_buffer((1024,), data=out.data)
        for pixel in T.unroll(pixels):
            for vector in T.unroll(vectors):
                result[T.ramp((pixel * vectors + vector) * 4, 1, 4)] = (
                    result[T.ramp((pixel * vectors + vector) * 4, 1, 4)]
                    + T.broadcast(number[pixel * 4], 4) * weight[T.ramp(vector * apart, 1, 4)]
                )
        if into:
            weight[0] = T.float32(0)

    unrolled = tirx.transform.UnrollLoop()(tvm.IRModule({"main": function}))
    return tirx.transform.StmtSimplify()(unrolled)["main"]


@pytest.mark.parametrize(
    ("vectors", "wanted"), [(2, []), (3, [3]), (4, [4]), (5, [3]), (6, [3, 3]), (8, [4, 4])]
)
def test_three_vectors_and_four_are_one_load(vectors: int, wanted: list[int]) -> None:
    assert loads(sums(vectors)) == [f"tvmlcnn_ld1x{count}_v4f32" for count in wanted]


@pytest.mark.parametrize(
    "function",
    [
        pytest.param(lambda: sums(4, apart=8), id="apart"),
        pytest.param(lambda: sums(4, into=True), id="written"),
        pytest.param(lambda: sums(4, pixels=6), id="no registers"),
    ],
)
def test_others_are_loaded_one_by_one(function: Callable[[], tirx.PrimFunc]) -> None:
    assert loads(function()) == []


@pytest.mark.parametrize("target", ["x86", "rpi2", "rpi3"])
def test_cores_that_gain_nothing(target: str) -> None:
    assert loads(sums(4), target) == []


@pytest.mark.emulated("aarch64")
@pytest.mark.parametrize(
    ("conv", "side", "registers"),
    [
        pytest.param(nn.Conv2d(64, 64, 1), 14, 4, id="dense"),
        pytest.param(nn.Conv2d(40, 60, 1, 2), 12, 3, id="of three"),
        pytest.param(nn.Conv2d(32, 64, 3, padding=1), 24, 4, id="winograd"),
    ],
)
@pytest.mark.parametrize("target", ["rpi4", "rpi5"])
def test_sums_are_the_same(conv: nn.Module, side: int, registers: int, target: str) -> None:
    device = DEVICES[target].with_cores(1)
    shape = (1, conv.in_channels, side, side)
    error, _ = relative_error(conv, shape, device)
    assert error < 2e-5
    several = r"ld1\s*\{" + ",".join([r"\s*v\d+\.4s"] * registers) + r"\s*\}"
    assert re.search(several, assembly(conv, shape, device))
