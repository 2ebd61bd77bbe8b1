"""Where the scale and the shift of a batch norm go: written out, and computed by hand."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
from scripted import assert_becomes, filled
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import fold_batch_norm

# With an epsilon of 1/4 the deviation is 2 and 4.
GAMMA = np.array([2, 8], "float32")
BETA = np.array([1, -1], "float32")
MEAN = np.array([3, 5], "float32")
VARIANCE = np.array([3.75, 15.75], "float32")
SCALE = np.array([1, 2], "float32")
SHIFT = np.array([1 - 3 * 1, -1 - 5 * 2], "float32")
WEIGHT = filled(2, 3, 1, 1)


def along(values: np.ndarray, axis: int = 1) -> np.ndarray:
    """Return values by channel of a map."""
    return values.reshape([-1 if i == axis else 1 for i in range(4)])


def test_after_a_convolution() -> None:
    scaled = WEIGHT * SCALE.reshape(2, 1, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(WEIGHT))
                n = R.nn.batch_norm(
                    *(c, R.const(GAMMA), R.const(BETA), R.const(MEAN), R.const(VARIANCE)),
                    axis=1,
                    epsilon=0.25,
                )
                y = (R.nn.relu(n[0]),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(scaled))
                n = R.add(c, R.const(along(SHIFT)))
                y = (R.nn.relu(n),)
                R.output(y)
            return y

    assert_becomes(fold_batch_norm, Before, After)


def test_after_a_convolution_with_a_bias() -> None:
    bias = np.array([1, 10], "float32")
    scaled = WEIGHT * SCALE.reshape(2, 1, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.add(R.nn.conv2d(x, R.const(WEIGHT)), R.const(along(bias)))
                n = R.nn.batch_norm(
                    *(c, R.const(GAMMA), R.const(BETA), R.const(MEAN), R.const(VARIANCE)),
                    axis=1,
                    epsilon=0.25,
                )
                y = (n[0],)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(scaled))
                y = (R.add(c, R.const(along(SHIFT + bias * SCALE))),)
                R.output(y)
            return y

    assert_becomes(fold_batch_norm, Before, After)


def test_alone() -> None:
    """As in DenseNet; here of data whose channels are last."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 4, 2), "float32")):
            with R.dataflow():
                n = R.nn.batch_norm(
                    *(x, R.const(GAMMA), R.const(BETA), R.const(MEAN), R.const(VARIANCE)),
                    axis=3,
                    epsilon=0.25,
                )
                y = (n[0],)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 4, 4, 2), "float32")):
            with R.dataflow():
                m = R.multiply(x, R.const(along(SCALE, 3)))
                y = (R.add(m, R.const(along(SHIFT, 3))),)
                R.output(y)
            return y

    assert_becomes(fold_batch_norm, Before, After)


def test_after_a_convolution_with_another_reader() -> None:
    """What the other one reads is not scaled."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(WEIGHT))
                n = R.nn.batch_norm(
                    *(c, R.const(GAMMA), R.const(BETA), R.const(MEAN), R.const(VARIANCE)),
                    axis=1,
                    epsilon=0.25,
                )
                y = (n[0], c)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(WEIGHT))
                m = R.multiply(c, R.const(along(SCALE)))
                y = (R.add(m, R.const(along(SHIFT))), c)
                R.output(y)
            return y

    assert_becomes(fold_batch_norm, Before, After)
