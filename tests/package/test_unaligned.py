"""Kernels that read what an application gives, or write it, do so at any address.

A buffer's ``align`` is in bytes, and 64 where nothing is said.
"""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import tvm
from tvm.script import ir as I
from tvm.script import tirx as T

from tvmlcnn.package.flat_program import Base, Call, Place
from tvmlcnn.package.unaligned import unaligned

INPUT, OUTPUT = Place(Base.INPUT, 0, 0), Place(Base.OUTPUT, 1, 256)
WEIGHT, BETWEEN = Place(Base.WEIGHTS, 0, 0), Place(Base.WORKSPACE, 0, 64)


@I.ir_module
class Before:
    @T.prim_func(private=True)
    def add(a: T.Buffer((8,), "float32"), b: T.Buffer((8,), "int64"), y: T.Buffer((8,), "float32")):
        for i in range(8):
            y[i] = a[i] + T.Cast("float32", b[i])

    @T.prim_func(private=True)
    def twice(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):
        for i in range(8):
            y[i] = x[i] * T.float32(2)


KERNELS = {"add": Before["add"], "twice": Before["twice"]}


def test_inputs_and_outputs_of_the_network() -> None:
    """In one call or another; weights and tensors between kernels lie as they should."""

    @I.ir_module
    class After:
        @T.prim_func(private=True)
        def add(
            a: T.Buffer((8,), "float32", align=4),
            b: T.Buffer((8,), "int64", align=8),
            y: T.Buffer((8,), "float32"),
        ):
            for i in range(8):
                y[i] = a[i] + T.Cast("float32", b[i])

        @T.prim_func(private=True)
        def twice(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32", align=4)):
            for i in range(8):
                y[i] = x[i] * T.float32(2)

    calls = [
        Call("add", (INPUT, WEIGHT, BETWEEN)),
        Call("add", (BETWEEN, INPUT, BETWEEN)),
        Call("twice", (BETWEEN, OUTPUT)),
    ]
    found = unaligned(KERNELS, calls)
    for name, kernel in found.items():
        tvm.ir.assert_structural_equal(kernel, After[name])


def test_others_are_as_they_were() -> None:
    calls = [Call("add", (BETWEEN, WEIGHT, BETWEEN))]  # and nobody calls the other one
    assert all(unaligned(KERNELS, calls)[name] is kernel for name, kernel in KERNELS.items())
