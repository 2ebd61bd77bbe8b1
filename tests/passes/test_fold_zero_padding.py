"""Padding before layers becomes their own."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import pytest
from conftest import randomized
from networks import relative_error
from scripted import assert_becomes, filled
from torch import nn
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes.fold_zero_padding import fold_zero_padding
from tvmlcnn.targets import DEVICES

WEIGHT = filled(4, 3, 3, 3)


def test_into_a_convolution() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 9, 9), "float32")):
            with R.dataflow():
                p = R.nn.pad(x, (0, 0, 0, 0, 0, 1, 2, 3))
                y = (R.nn.conv2d(p, R.const(WEIGHT), strides=(2, 2), padding=(1, 0, 1, 0)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 9, 9), "float32")):
            with R.dataflow():
                y = (R.nn.conv2d(x, R.const(WEIGHT), strides=(2, 2), padding=(1, 2, 2, 3)),)
                R.output(y)
            return y

    assert_becomes(fold_zero_padding, Before, After)


def test_into_a_mean_that_then_counts_it() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 9, 9), "float32")):
            with R.dataflow():
                p = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 0, 2))
                y = (R.nn.avg_pool2d(p, (3, 3), strides=(2, 2)),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 9, 9), "float32")):
            with R.dataflow():
                y = (
                    R.nn.avg_pool2d(
                        *(x, (3, 3)),
                        strides=(2, 2),
                        padding=(1, 0, 1, 2),
                        count_include_pad=True,
                    ),
                )
                R.output(y)
            return y

    assert_becomes(fold_zero_padding, Before, After)


def test_what_is_no_zero_padding_of_maps_stays() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 9, 9), "float32")):
            with R.dataflow():
                ones = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1), "constant", 1.0)
                mirrored = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1), "reflect")
                channels = R.nn.pad(x, (0, 0, 1, 2, 0, 0, 0, 0))
                around = R.nn.pad(x, (0, 0, 0, 0, 1, 1, 1, 1))
                wide = R.nn.pad(x, (0, 0, 0, 0, 0, 3, 0, 0))
                y = (
                    R.nn.conv2d(ones, R.const(WEIGHT)),
                    R.nn.conv2d(mirrored, R.const(WEIGHT)),
                    R.nn.avg_pool2d(channels, (3, 3)),
                    R.nn.max_pool2d(around, (3, 3)),
                    R.nn.avg_pool2d(wide, (3, 3)),
                    R.nn.avg_pool2d(around, (3, 3), padding=(1, 1, 1, 1)),
                )
                R.output(y)
            return y

    assert_becomes(fold_zero_padding, Before, Before)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(8, 16, 3, 2)), (1, 8, 12, 13)),
        (nn.Sequential(nn.ZeroPad2d((3, 0, 5, 1)), nn.Conv2d(8, 8, 3, groups=8)), (1, 8, 7, 9)),
        (nn.Sequential(nn.ConstantPad1d((4, 0), 0.0), nn.Conv1d(8, 8, 3, dilation=2)), (1, 8, 20)),
        (nn.Sequential(nn.ZeroPad2d((1, 2, 0, 1)), nn.AvgPool2d(3, 2)), (1, 8, 12, 12)),
        (nn.Sequential(nn.ZeroPad2d(1), nn.AvgPool2d(3, 2, ceil_mode=True)), (1, 8, 12, 12)),
        (nn.Sequential(nn.ZeroPad2d(1), nn.MaxPool2d(3, 2)), (1, 8, 12, 12)),
    ],
)
def test_same_function(net: nn.Module, shape: tuple[int, ...]) -> None:
    error, _ = relative_error(randomized(net), shape, DEVICES["x86"])
    assert error < 1e-5
