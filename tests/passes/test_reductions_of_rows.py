"""Reductions of whole tensors, and of axes that lie apart, become those of rows."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import pytest
import torch
from networks import relative_error
from scripted import assert_becomes
from torch import nn
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes.reductions_of_rows import reductions_of_rows
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(2)


def test_a_whole_tensor_is_one_row() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 5, 6), "float32")):
            with R.dataflow():
                y = (R.mean(x, axis=None, keepdims=True),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 5, 6), "float32")):
            with R.dataflow():
                rows = R.reshape(x, (1, 240))
                mean = R.mean(rows, axis=[1])
                y = (R.reshape(mean, (1, 1, 1, 1)),)
                R.output(y)
            return y

    assert_becomes(reductions_of_rows, Before, After)


def test_axes_that_lie_apart() -> None:
    """The innermost first."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4, 8, 5, 6), "float32")):
            with R.dataflow():
                y = (R.max(x, axis=[0, 2, 3]),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((4, 8, 5, 6), "float32")):
            with R.dataflow():
                rows = R.reshape(x, (32, 30))
                inner = R.max(rows, axis=[1])
                columns = R.reshape(inner, (1, 4, 8))
                outer = R.max(columns, axis=[1])
                y = (R.reshape(outer, (8,)),)
                R.output(y)
            return y

    assert_becomes(reductions_of_rows, Before, After)


def test_what_stays() -> None:
    """Neighbouring axes, and integers, whose kernels are others."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 5, 6), "float32"), n: R.Tensor((4, 5), "int32")):
            with R.dataflow():
                y = (R.sum(x, axis=[2, 3]), R.max(x, axis=[1]), R.sum(n))
                R.output(y)
            return y

    assert_becomes(reductions_of_rows, Before, Before)


class Apply(nn.Module):
    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        y = x * x
        return y.mean(), y.sum((0, 2)), x.amax((1, 3), keepdim=True), x.min(), y.mean((0, 3))


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (2, 1, 70, 3), (3, 5, 7, 60), (1, 9, 80, 2)])
def test_in_a_network(shape: tuple[int, ...]) -> None:
    error, _ = relative_error(Apply(), shape, X86)
    assert error < 1e-5  # of a range that may be small
