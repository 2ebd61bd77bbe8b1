"""Divisions by constants become multiplications."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
import pytest
from scripted import assert_becomes
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes.multiply_by_reciprocals import multiply_by_reciprocals

SIXTH = np.float32(1 / 6)


def test_a_hard_swish_multiplies() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 4, 4), "float32")):
            with R.dataflow():
                a = R.clip(R.add(x, R.const(3.0, "float32")), 0, 6)
                b = R.divide(R.multiply(x, a), R.const(6.0, "float32"))
                y = (b,)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 4, 4), "float32")):
            with R.dataflow():
                a = R.clip(R.add(x, R.const(3.0, "float32")), 0, 6)
                b = R.multiply(R.multiply(x, a), R.const(SIXTH, "float32"))
                y = (b,)
                R.output(y)
            return y

    assert_becomes(multiply_by_reciprocals, Before, After)


@pytest.mark.parametrize("divisor", [np.inf, np.nan, 1e-39, 3e38])
def test_what_has_no_normal_reciprocal_divides(divisor: float) -> None:
    number = np.float32(divisor)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                y = (R.divide(x, R.const(number, "float32")),)
                R.output(y)
            return y

    assert_becomes(multiply_by_reciprocals, Before, Before)


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_a_zero_multiplies_by_infinity(zero: float) -> None:
    """Also where the quotient is rounded: TVM fails where it simplifies a division by zero."""
    number, infinity = np.float32(zero), np.float32(np.copysign(np.inf, zero))

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                y = (R.floor(R.divide(x, R.const(number, "float32"))),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                y = (R.floor(R.multiply(x, R.const(infinity, "float32"))),)
                R.output(y)
            return y

    assert_becomes(multiply_by_reciprocals, Before, After)


def test_other_divisions_stay() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4,), "float32"), n: R.Tensor((4,), "int32")):
            with R.dataflow():
                a = R.divide(R.const(1.0, "float32"), x)
                b = R.divide(a, x)
                c = R.divide(n, R.const(2, "int32"))
                y = (b, c)
                R.output(y)
            return y

    assert_becomes(multiply_by_reciprocals, Before, Before)
