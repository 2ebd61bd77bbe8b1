"""The graph before and after: where transposes are left, and what the kernels' weights are."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
from scripted import assert_becomes, conv2d, filled, functions, hwio
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import channels_last, turned_back
from tvmlcnn.targets import DEVICES

x86 = channels_last(DEVICES["x86"])  # vectors of eight
WEIGHT = filled(16, 16, 3, 3)
POINTWISE = filled(8, 16, 1, 1)


def test_a_convolution_and_what_follows_it() -> None:
    """Only the borders are transposed, and constants with them."""
    bias = filled(1, 16, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(WEIGHT), strides=(2, 2), padding=(1, 1, 1, 1))
                b = R.add(c, R.const(bias))
                y = (R.nn.relu(b),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(
                    *(n, hwio(WEIGHT)), shape=(1, 4, 4, 16), strides=(2, 2), padding=(1, 1, 1, 1)
                )
                b = R.add(c, R.const(bias.transpose(0, 2, 3, 1)))
                r = R.nn.relu(b)
                y = (R.permute_dims(r, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_few_input_channels_are_read_where_they_are() -> None:
    weight = filled(16, 3, 3, 3)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 10, 10), "float32")):
            with R.dataflow():
                y = (R.nn.conv2d(x, R.const(weight)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 10, 10), "float32")):
            with R.dataflow():
                c = conv2d(x, hwio(weight), shape=(1, 8, 8, 16), channels_first=True)
                y = (R.permute_dims(c, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_channels_are_filled_up_to_vectors() -> None:
    """Of 24 the true 20 are read; constants have zeros at the others."""
    first, depthwise, last = filled(20, 16, 1, 1), filled(20, 1, 3, 3), filled(8, 20, 1, 1)
    bias = filled(1, 20, 1, 1)

    def wide(array: np.ndarray) -> np.ndarray:
        return np.pad(array, [(0, 0)] * 3 + [(0, 4)])

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                a = R.add(R.nn.conv2d(x, R.const(first)), R.const(bias))
                b = R.nn.conv2d(a, R.const(depthwise), padding=(1, 1, 1, 1), groups=20)
                c = R.nn.conv2d(b, R.const(last))
                y = (a, c)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                p = conv2d(n, wide(hwio(first)), shape=(1, 8, 8, 24))
                a = R.add(p, R.const(wide(bias.transpose(0, 2, 3, 1))))
                b = conv2d(
                    *(a, wide(hwio(depthwise))),
                    shape=(1, 8, 8, 24),
                    padding=(1, 1, 1, 1),
                    groups=24,
                )
                c = conv2d(b, hwio(last), shape=(1, 8, 8, 8))
                whole = R.strided_slice(a, [3], [0], [20])
                out = R.permute_dims(whole, [0, 3, 1, 2])
                y = (out, R.permute_dims(c, [0, 3, 1, 2]))
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_grouped_convolutions_read_channels_in_order() -> None:
    first, grouped = filled(20, 16, 1, 1), filled(40, 10, 1, 1)
    filled_up = np.pad(hwio(first), [(0, 0)] * 3 + [(0, 4)])

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(first))
                y = (R.nn.conv2d(a, R.const(grouped), groups=2),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                a = conv2d(n, filled_up, shape=(1, 8, 8, 24))
                whole = R.strided_slice(a, [3], [0], [20])
                b = conv2d(whole, hwio(grouped), shape=(1, 8, 8, 40), groups=2)
                y = (R.permute_dims(b, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_pools_and_means() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(POINTWISE))
                p = R.nn.max_pool2d(c, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1))
                q = R.nn.avg_pool2d(p, (2, 2), strides=(2, 2), count_include_pad=True)
                a = R.nn.adaptive_avg_pool2d(q, (1, 1))
                y = (R.mean(q, [2, 3]), R.mean(q, [2, 3], keepdims=True), R.reshape(a, (1, 8)))
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(n, hwio(POINTWISE), shape=(1, 8, 8, 8))
                p = R.nn.max_pool2d(c, (3, 3), strides=(2, 2), padding=(1, 1, 1, 1), layout="NHWC")
                q = R.nn.avg_pool2d(
                    p, (2, 2), strides=(2, 2), count_include_pad=True, layout="NHWC"
                )
                a = R.nn.adaptive_avg_pool2d(q, (1, 1), layout="NHWC")
                m = R.mean(q, [1, 2])
                k = R.mean(q, [1, 2], keepdims=True)
                flat = R.reshape(a, (1, 8))
                y = (m, R.permute_dims(k, [0, 3, 1, 2]), flat)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_an_unknown_operator_gets_its_operand_as_it_was() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(POINTWISE))
                s = R.floor(c)
                y = (R.nn.max_pool2d(s, (2, 2), strides=(2, 2)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(n, hwio(POINTWISE), shape=(1, 8, 8, 8))
                s = R.floor(R.permute_dims(c, [0, 3, 1, 2]))
                t = R.permute_dims(s, [0, 2, 3, 1])
                p = R.nn.max_pool2d(t, (2, 2), strides=(2, 2), layout="NHWC")
                y = (R.permute_dims(p, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(lambda mod: functions(x86(mod)), Before, After)
    assert turned_back(x86(Before)) == ["relax.floor"]
