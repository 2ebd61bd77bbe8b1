"""The operations of each operator, by the name of its variable; the graph is left as it is."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import json

import tvm
from scripted import filled
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import count_flops

CONV, DEPTHWISE, TRANSPOSED = filled(6, 4, 3, 3), filled(6, 1, 3, 3), filled(6, 5, 2, 2)
MATRIX = filled(6, 10)


def counted(mod: tvm.IRModule) -> dict[str, int]:
    """Return what is noted, and assert that nothing else has changed."""
    after = count_flops(mod)
    tvm.ir.assert_structural_equal(after["main"], mod["main"])
    return json.loads(str(after.attrs["tvmlcnn.flops"]))


def test_multiply_adds_count_as_two() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((2, 4, 8, 8), "float32")):
            with R.dataflow():
                conv = R.nn.conv2d(x, R.const(CONV), strides=(2, 2), padding=(1, 1, 1, 1))
                depthwise = R.nn.conv2d(conv, R.const(DEPTHWISE), groups=6)
                transposed = R.nn.conv2d_transpose(depthwise, R.const(TRANSPOSED), strides=(2, 2))
                mean = R.mean(conv, axis=[2, 3])
                linear = R.matmul(mean, R.const(MATRIX))
                y = (transposed, linear)
                R.output(y)
            return y

    assert counted(Before) == {
        "conv": 2 * (2 * 6 * 4 * 4) * (4 * 3 * 3),
        "depthwise": 2 * (2 * 6 * 2 * 2) * (3 * 3),
        "transposed": 2 * (2 * 6 * 2 * 2) * (5 * 2 * 2),
        "mean": 2 * 6 * 4 * 4,
        "linear": 2 * (2 * 10) * 6,
    }


def test_others_count_what_they_write_or_reduce() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 8, 8), "float32")):
            with R.dataflow():
                relu = R.nn.relu(x)
                pool = R.nn.max_pool2d(relu, pool_size=(3, 3), strides=(2, 2), padding=(1, 1, 1, 1))
                total = R.nn.adaptive_avg_pool2d(relu, (1, 1))
                scaled = R.multiply(pool, total)
                y = (scaled,)
                R.output(y)
            return y

    assert counted(Before) == {
        "relu": 4 * 64,
        "pool": (4 * 16) * 9,
        "total": 4 * 64,
        "scaled": 4 * 16,
    }


def test_moves_count_nothing() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 4, 8, 8), "float32")):
            with R.dataflow():
                halves = R.split(x, 2, axis=1)
                joined = R.concat((halves[1], halves[0]), axis=1)
                grouped = R.permute_dims(R.reshape(joined, (1, 2, 2, 8, 8)), [0, 2, 1, 3, 4])
                half = R.strided_slice(x, [3], [0], [8], [2])
                y = (grouped, half, R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1)))
                R.output(y)
            return y

    assert counted(Before) == {}
