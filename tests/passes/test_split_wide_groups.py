"""Convolutions of few and wide groups become one for each."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import pytest
from scripted import assert_becomes, filled
from torch import nn
from tvm.script import ir as I
from tvm.script import relax as R
from wiring import Net, assert_same, conv, copies, normalized

from tvmlcnn.passes.split_wide_groups import split_wide_groups
from tvmlcnn.targets import DEVICES

SPLIT = split_wide_groups(DEVICES["x86"])
WEIGHT = filled(256, 128, 3, 3)


@pytest.mark.parametrize(("target", "stride"), [("x86", 1), ("rpi4", 2)])
def test_one_for_each_group(target: str, stride: int) -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 256, 28, 28), "float32")):
            with R.dataflow():
                y = (R.nn.conv2d(x, R.const(WEIGHT), [stride, stride], 1, groups=2),)
                R.output(y)
            return y

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 256, 28, 28), "float32")):
            with R.dataflow():
                parts = R.split(x, 2, axis=1)
                a = parts[0]
                b = R.nn.conv2d(a, R.const(WEIGHT[:128]), [stride, stride], 1)
                c = parts[1]
                d = R.nn.conv2d(c, R.const(WEIGHT[128:]), [stride, stride], 1)
                y = (R.concat((b, d), axis=1),)
                R.output(y)
            return y

    assert_becomes(split_wide_groups(DEVICES[target]), Before, After)


@pytest.mark.parametrize(("channels", "groups", "stride"), [(128, 32, 1), (256, 2, 2)])
def test_others_stay(channels: int, groups: int, stride: int) -> None:
    weight = filled(channels, channels // groups, 3, 3)

    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, channels, 28, 28), "float32")):
            with R.dataflow():
                y = R.nn.conv2d(
                    x, R.const(weight), strides=[stride, stride], padding=1, groups=groups
                )
                R.output(y)
            return y

    assert SPLIT(Before) is Before


def test_nothing_is_moved() -> None:
    net = Net(
        lambda x, a, b, n, c: c(n(b(a(x)))),
        a=conv(16, 256),
        b=conv(256, 256, 3, 2),
        n=normalized(256),
        c=conv(256, 8),
    )
    rules = assert_same(net, (1, 16, 14, 14))
    assert rules["winograd"] == 2
    assert [name for name in copies(net, (1, 16, 14, 14)) if "transpose" not in name] == []
    assert isinstance(net.layers["n"][1], nn.ReLU)
