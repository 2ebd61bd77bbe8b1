"""Kernels that read what an application gives take it at any address; others keep what they know.

A buffer's ``align`` is in bytes, and 64 where nothing is said.
"""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from scripted import assert_becomes
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from tvmlcnn.passes import unaligned_inputs


def test_only_arguments_that_are_inputs() -> None:
    @I.ir_module
    class Before:
        @T.prim_func(private=True)
        def add(
            a: T.Buffer((8,), "float32"),
            b: T.Buffer((8,), "int64"),
            y: T.Buffer((8,), "float32"),
        ):
            for i in range(8):
                y[i] = a[i] + T.Cast("float32", b[i])

        @T.prim_func(private=True)
        def twice(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):
            for i in range(8):
                y[i] = x[i] * T.float32(2)

        @R.function
        def main(p: R.Tensor((8,), "float32"), q: R.Tensor((8,), "int64")):
            cls = Before
            with R.dataflow():
                s = R.call_tir(cls.add, (p, q), out_ty=R.Tensor((8,), "float32"))
                t = R.call_tir(cls.twice, (s,), out_ty=R.Tensor((8,), "float32"))
                y = (R.call_tir(cls.add, (t, q), out_ty=R.Tensor((8,), "float32")),)
                R.output(y)
            return y

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
        def twice(x: T.Buffer((8,), "float32"), y: T.Buffer((8,), "float32")):
            for i in range(8):
                y[i] = x[i] * T.float32(2)

        @R.function
        def main(p: R.Tensor((8,), "float32"), q: R.Tensor((8,), "int64")):
            cls = After
            with R.dataflow():
                s = R.call_tir(cls.add, (p, q), out_ty=R.Tensor((8,), "float32"))
                t = R.call_tir(cls.twice, (s,), out_ty=R.Tensor((8,), "float32"))
                y = (R.call_tir(cls.add, (t, q), out_ty=R.Tensor((8,), "float32")),)
                R.output(y)
            return y

    assert_becomes(unaligned_inputs, Before, After)


def test_views_of_an_input_and_weights() -> None:
    """A view begins where its tensor does; weights lie in the file as they should."""

    @I.ir_module
    class Before:
        @T.prim_func(private=True)
        def scale(
            x: T.Buffer((2, 4), "float32"),
            w: T.Buffer((2, 4), "float32"),
            y: T.Buffer((2, 4), "float32"),
        ):
            for i, j in T.grid(2, 4):
                y[i, j] = x[i, j] * w[i, j]

        @R.function
        def main(x: R.Tensor((8,), "float32"), weights: R.Tuple(R.Tensor((2, 4), "float32"))):
            cls = Before
            with R.dataflow():
                w = weights[0]
                r = R.reshape(x, (4, 2))
                v = R.memory.view(r, R.shape([2, 4]), R.dtype("float32"), R.prim_value(0))
                y = (R.call_tir(cls.scale, (v, w), out_ty=R.Tensor((2, 4), "float32")),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @T.prim_func(private=True)
        def scale(
            x: T.Buffer((2, 4), "float32", align=4),
            w: T.Buffer((2, 4), "float32"),
            y: T.Buffer((2, 4), "float32"),
        ):
            for i, j in T.grid(2, 4):
                y[i, j] = x[i, j] * w[i, j]

        @R.function
        def main(x: R.Tensor((8,), "float32"), weights: R.Tuple(R.Tensor((2, 4), "float32"))):
            cls = After
            with R.dataflow():
                w = weights[0]
                r = R.reshape(x, (4, 2))
                v = R.memory.view(r, R.shape([2, 4]), R.dtype("float32"), R.prim_value(0))
                y = (R.call_tir(cls.scale, (v, w), out_ty=R.Tensor((2, 4), "float32")),)
                R.output(y)
            return y

    assert_becomes(unaligned_inputs, Before, After)
