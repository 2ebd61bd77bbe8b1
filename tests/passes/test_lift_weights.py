"""Constants become elements of the last argument, equal ones the same, and the arrays are kept."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
import tvm
from scripted import assert_becomes, filled
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from tvmlcnn.passes import lift_weights, weights_of, without_weights


def lifted(mod: tvm.IRModule) -> tvm.IRModule:
    return without_weights(lift_weights(mod))


def test_constants_of_kernels() -> None:
    weight, bias = filled(4, 4), filled(4)

    @I.ir_module
    class Before:
        @T.prim_func(private=True)
        def add(
            x: T.Buffer((4, 4), "float32"),
            w: T.Buffer((4, 4), "float32"),
            y: T.Buffer((4, 4), "float32"),
        ):
            for i, j in T.grid(4, 4):
                y[i, j] = x[i, j] + w[i, j]

        @R.function
        def main(x: R.Tensor((4, 4), "float32")):
            cls = Before
            with R.dataflow():
                a = R.call_tir(cls.add, (x, R.const(weight)), out_ty=R.Tensor((4, 4), "float32"))
                b = R.multiply(a, R.const(bias))
                y = (b,)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @T.prim_func(private=True)
        def add(
            x: T.Buffer((4, 4), "float32"),
            w: T.Buffer((4, 4), "float32"),
            y: T.Buffer((4, 4), "float32"),
        ):
            for i, j in T.grid(4, 4):
                y[i, j] = x[i, j] + w[i, j]

        @R.function
        def main(
            x: R.Tensor((4, 4), "float32"),
            weights: R.Tuple(R.Tensor((4, 4), "float32"), R.Tensor((4,), "float32")),
        ):
            cls = After
            with R.dataflow():
                w = weights[0]
                a = R.call_tir(cls.add, (x, w), out_ty=R.Tensor((4, 4), "float32"))
                s = weights[1]
                b = R.multiply(a, s)
                y = (b,)
                R.output(y)
            return y

    assert_becomes(lifted, Before, After)
    arrays = weights_of(lift_weights(Before))
    for array, expected in zip(arrays, (weight, bias), strict=True):
        np.testing.assert_array_equal(array, expected)


def test_equal_constants_are_one_weight() -> None:
    """Equal in value, shape and type; the result of the network may be one."""
    weight, same, row = filled(4, 1), filled(4, 1), filled(1, 4)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4, 1), "float32")):
            with R.dataflow():
                a = R.add(x, R.const(weight))
                b = R.multiply(a, R.const(row))
                y = (b, R.const(same))
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(
            x: R.Tensor((4, 1), "float32"),
            weights: R.Tuple(R.Tensor((4, 1), "float32"), R.Tensor((1, 4), "float32")),
        ):
            with R.dataflow():
                w = weights[0]
                a = R.add(x, w)
                r = weights[1]
                b = R.multiply(a, r)
                y = (b, weights[0])
                R.output(y)
            return y

    assert_becomes(lifted, Before, After)
    assert [array.shape for array in weights_of(lift_weights(Before))] == [(4, 1), (1, 4)]


def test_without_constants_there_is_no_argument() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                y = (R.nn.relu(x),)
                R.output(y)
            return y

    assert_becomes(lifted, Before, Before)
    assert weights_of(lift_weights(Before)) == []
