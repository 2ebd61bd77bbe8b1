"""What the importer leaves around weights is evaluated; what is around activations stays."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from scripted import assert_becomes, filled
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import fold_constants


def test_a_transposed_matrix() -> None:
    weight = filled(2, 3)
    transposed = weight.T.copy()

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3), "float32")):
            with R.dataflow():
                w = R.permute_dims(R.const(weight))
                y = (R.matmul(x, w),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3), "float32")):
            with R.dataflow():
                y = (R.matmul(x, R.const(transposed)),)
                R.output(y)
            return y

    assert_becomes(fold_constants, Before, After)


def test_one_after_another() -> None:
    bias = filled(1, 6)
    turned = bias.reshape(1, 2, 3).transpose(1, 2, 0).astype("float16").reshape(1, 2, 3, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((5, 2, 3, 1), "float16")):
            with R.dataflow():
                flat = R.squeeze(R.const(bias), axis=[0])
                cube = R.permute_dims(R.reshape(flat, (1, 2, 3)), axes=[1, 2, 0])
                half = R.astype(cube, "float16")
                y = (R.add(x, R.expand_dims(half, axis=[0])),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((5, 2, 3, 1), "float16")):
            with R.dataflow():
                y = (R.add(x, R.const(turned)),)
                R.output(y)
            return y

    assert_becomes(fold_constants, Before, After)


def test_a_constant_with_two_readers() -> None:
    weight = filled(4)
    column = weight.reshape(4, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4, 4), "float32")):
            with R.dataflow():
                w = R.reshape(R.const(weight), (4, 1))
                y = (R.add(x, w), R.multiply(x, w))
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((4, 4), "float32")):
            with R.dataflow():
                y = (R.add(x, R.const(column)), R.multiply(x, R.const(column)))
                R.output(y)
            return y

    assert_becomes(fold_constants, Before, After)


def test_what_is_around_activations_stays() -> None:
    weight = filled(6)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 3), "float32")):
            with R.dataflow():
                flat = R.reshape(R.permute_dims(x), (6,))
                y = (R.add(flat, R.const(weight)),)
                R.output(y)
            return y

    assert_becomes(fold_constants, Before, Before)
