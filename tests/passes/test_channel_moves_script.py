"""Shuffles, splits and concatenations become places that convolutions read, and move nothing."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from scripted import assert_becomes, conv2d, filled, hwio, join
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import channels_last
from tvmlcnn.targets import DEVICES

x86 = channels_last(DEVICES["x86"])
FIRST, SECOND = filled(16, 16, 1, 1), filled(16, 16, 1, 1) + 1


def test_a_shuffle_permutes_the_next_weights() -> None:
    # Channel 2 * i of the shuffled is channel i, and 2 * i + 1 is 8 + i.
    order = [*range(0, 16, 2), *range(1, 16, 2)]
    permuted = hwio(SECOND)[:, :, order]

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(FIRST))
                g = R.permute_dims(R.reshape(c, (1, 2, 8, 8, 8)), [0, 2, 1, 3, 4])
                s = R.reshape(g, (1, 16, 8, 8))
                y = (R.nn.conv2d(s, R.const(SECOND)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                d = conv2d(c, permuted, shape=(1, 8, 8, 16))
                y = (R.permute_dims(d, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_a_split_is_what_each_reader_reads() -> None:
    left, right = filled(8, 6, 1, 1), filled(8, 10, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(FIRST))
                parts = R.split(c, [6], axis=1)
                a = R.nn.conv2d(parts[0], R.const(left))
                b = R.nn.conv2d(R.nn.relu(parts[1]), R.const(right))
                y = (a, b)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                a = conv2d(c, hwio(left), shape=(1, 8, 8, 8))
                r = R.nn.relu(c)
                b = conv2d(r, hwio(right), shape=(1, 8, 8, 8), reads=range(6, 16))
                out = R.permute_dims(a, [0, 3, 1, 2])
                y = (out, R.permute_dims(b, [0, 3, 1, 2]))
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_a_slice_of_channels_is_what_is_read() -> None:
    odd = filled(8, 8, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                c = R.nn.conv2d(x, R.const(FIRST))
                s = R.strided_slice(c, [1], [1], [16], [2])
                y = (R.nn.conv2d(s, R.const(odd)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                c = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                d = conv2d(c, hwio(odd), shape=(1, 8, 8, 8), reads=range(1, 16, 2))
                y = (R.permute_dims(d, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_parts_of_a_concatenation_are_planes() -> None:
    """Planes come in the order of the parts; of a part that was split only a half is read."""
    last = filled(8, 40, 1, 1)
    reads = [*range(8, 16), *range(16, 32), *range(32, 48)]

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                b = R.nn.conv2d(a, R.const(SECOND))
                c = R.nn.relu(b)
                halves = R.split(a, 2, axis=1)
                j = R.concat((halves[1], b, c), axis=1)
                y = (R.nn.conv2d(j, R.const(last)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                a = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                b = conv2d(a, hwio(SECOND), shape=(1, 8, 8, 16))
                c = R.nn.relu(b)
                j = join(a, b, c)
                d = conv2d(j, hwio(last), shape=(1, 8, 8, 8), reads=reads)
                y = (R.permute_dims(d, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_a_growing_list_is_one_buffer() -> None:
    """The second concatenation begins with the parts of the first, as in DenseNet."""
    third, last = filled(16, 32, 1, 1), filled(8, 48, 1, 1)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                b = R.nn.conv2d(a, R.const(SECOND))
                two = R.concat((a, b), axis=1)
                c = R.nn.conv2d(two, R.const(third))
                three = R.concat((two, c), axis=1)
                y = (R.nn.conv2d(three, R.const(last)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                a = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                b = conv2d(a, hwio(SECOND), shape=(1, 8, 8, 16))
                two = join(a, b)
                c = conv2d(two, hwio(third), shape=(1, 8, 8, 16), reads=range(32))
                three = join(a, b, c)
                d = conv2d(three, hwio(last), shape=(1, 8, 8, 8), reads=range(48))
                y = (R.permute_dims(d, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)


def test_other_axes_are_split_and_joined_by_copying() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                parts = R.split(a, [3], axis=2)
                j = R.concat((parts[1], parts[0]), axis=2)
                y = (R.nn.relu(j),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 16, 8, 8), "float32")):
            with R.dataflow():
                n = R.permute_dims(x, [0, 2, 3, 1])
                a = conv2d(n, hwio(FIRST), shape=(1, 8, 8, 16))
                parts = R.split(a, [3], axis=1)
                top = parts[0]
                bottom = parts[1]
                j = R.concat((bottom, top), axis=1)
                r = R.nn.relu(j)
                y = (R.permute_dims(r, [0, 3, 1, 2]),)
                R.output(y)
            return y

    assert_becomes(x86, Before, After)
