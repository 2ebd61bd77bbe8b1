"""What stands alone before a convolution is applied when it reads; epilogues stay."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from scripted import assert_becomes, conv2d, filled
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import take_prologues

FIRST, SECOND = filled(1, 1, 16, 16), filled(3, 3, 16, 16)
SCALE, SHIFT, MAP = filled(1, 1, 1, 16), filled(1, 1, 1, 16) + 1, filled(1, 8, 8, 16)
DEPTHWISE = filled(3, 3, 1, 16)


def test_of_what_something_else_reads_as_well() -> None:
    """As in DenseNet: a batch norm and a ReLU, of a tensor that the next block reads too."""

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                a = conv2d(x, FIRST, shape=(1, 8, 8, 16))
                m = R.multiply(a, R.const(SCALE))
                n = R.nn.relu(R.add(m, R.const(SHIFT)))
                b = conv2d(n, SECOND, shape=(1, 8, 8, 16), padding=(1, 1, 1, 1))
                y = (R.add(a, b),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                a = conv2d(x, FIRST, shape=(1, 8, 8, 16))
                b = conv2d(
                    *(a, SECOND, SCALE, SHIFT),
                    shape=(1, 8, 8, 16),
                    padding=(1, 1, 1, 1),
                    prologue=("relax.multiply", "relax.add", "relax.nn.relu"),
                )
                y = (R.add(a, b),)
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, After)


def test_of_what_no_convolution_computes() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                p = R.nn.max_pool2d(x, (3, 3), padding=(1, 1, 1, 1), layout="NHWC")
                n = R.add(R.nn.relu(p), R.const(SHIFT))
                y = (conv2d(n, FIRST, shape=(1, 8, 8, 16)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                p = R.nn.max_pool2d(x, (3, 3), padding=(1, 1, 1, 1), layout="NHWC")
                y = (
                    conv2d(
                        p,
                        FIRST,
                        SHIFT,
                        shape=(1, 8, 8, 16),
                        prologue=("relax.nn.relu", "relax.add"),
                    ),
                )
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, After)


def test_the_epilogue_of_a_convolution_stays() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                a = conv2d(x, FIRST, shape=(1, 8, 8, 16))
                n = R.nn.relu(R.add(a, R.const(SHIFT)))
                y = (conv2d(n, SECOND, shape=(1, 6, 6, 16)),)
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, Before)


def test_what_two_convolutions_read_stays() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                r = R.nn.relu(R.add(x, R.const(SHIFT)))
                a = conv2d(r, FIRST, shape=(1, 8, 8, 16))
                b = conv2d(r, SECOND, shape=(1, 6, 6, 16))
                y = (a, b)
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, Before)


def test_what_is_not_by_channel_stays_and_the_rest_is_taken() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                a = R.nn.relu(R.add(x, R.const(MAP)))
                y = (conv2d(a, FIRST, shape=(1, 8, 8, 16)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                a = R.add(x, R.const(MAP))
                y = (conv2d(a, FIRST, shape=(1, 8, 8, 16), prologue=("relax.nn.relu",)),)
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, After)


def test_depthwise_convolutions_take_none() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 8, 8, 16), "float32")):
            with R.dataflow():
                r = R.nn.relu(x)
                y = (conv2d(r, DEPTHWISE, shape=(1, 6, 6, 16), groups=16),)
                R.output(y)
            return y

    assert_becomes(take_prologues, Before, Before)
