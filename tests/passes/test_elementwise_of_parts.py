"""Batch norm and activations of joined convolutions move before the join."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import torch
from scripted import assert_becomes, filled
from torch import nn
from tvm.script import ir as I
from tvm.script import relax as R
from wiring import Net, assert_same, cat, conv, kernels

from tvmlcnn.passes.elementwise_of_parts import elementwise_of_parts

FIRST, SECOND = filled(2, 3, 1, 1), filled(1, 3, 3, 3)
SCALE, SHIFT = filled(1, 3, 1, 1), filled(3, 1, 1)


def test_by_channel_and_by_number() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                b = R.nn.conv2d(x, R.const(SECOND), padding=1)
                c = R.concat((a, b), axis=1)
                d = R.multiply(c, R.const(SCALE))
                e = R.add(d, R.const(SHIFT))
                f = R.nn.relu(e)
                g = (R.add(f, R.const(2.0)),)
                R.output(g)
            return g

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                b = R.nn.conv2d(x, R.const(SECOND), padding=1)
                d0 = R.multiply(a, R.const(SCALE[:, :2]))
                d1 = R.multiply(b, R.const(SCALE[:, 2:]))
                e0 = R.add(d0, R.const(SHIFT[:2]))
                e1 = R.add(d1, R.const(SHIFT[2:]))
                f0 = R.nn.relu(e0)
                f1 = R.nn.relu(e1)
                g0 = R.add(f0, R.const(2.0))
                g1 = R.add(f1, R.const(2.0))
                g = (R.concat((g0, g1), axis=1),)
                R.output(g)
            return g

    assert_becomes(elementwise_of_parts, Before, After)


def test_stays_where_something_else_reads_the_join() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                b = R.nn.conv2d(x, R.const(SECOND), padding=1)
                c = R.concat((a, b), axis=1)
                d = (R.nn.relu(c), R.nn.max_pool2d(c))
                R.output(d)
            return d

    assert elementwise_of_parts(Before) is Before


def test_stays_where_something_else_reads_a_part() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((1, 3, 4, 4), "float32")):
            with R.dataflow():
                a = R.nn.conv2d(x, R.const(FIRST))
                c = R.concat((a, R.nn.max_pool2d(a, padding=0)), axis=1)
                d = (R.nn.relu(c), a)
                R.output(d)
            return d

    assert elementwise_of_parts(Before) is Before


def normalized_parts(activation: nn.Module) -> Net:
    return Net(
        lambda x, a, b, n, f, c: c(f(n(cat(a(x), b(x))))),
        a=conv(8, 16),
        b=conv(8, 16, 3),
        n=nn.BatchNorm2d(32),
        f=activation,
        c=conv(32, 8),
    )


def test_batch_norm_and_activation_are_in_the_convolutions() -> None:
    for activation in (nn.SiLU(), nn.Hardswish(), nn.GELU()):
        assert_same(normalized_parts(activation), (1, 8, 8, 8))
        names = kernels(normalized_parts(activation), (1, 8, 8, 8))
        assert len(names) == 5, names  # three convolutions, and a transpose at either end


def test_pools_and_normalized_convolutions_are_parts_too() -> None:
    for pool in (nn.AvgPool2d(3, 2, 1), nn.MaxPool2d(3, 2, 1)):
        net = Net(
            lambda x, a, n, p, c: c(torch.relu(cat(p(x), n(a(x))))),
            a=nn.Conv2d(16, 16, 3, 2, 1),
            n=nn.BatchNorm2d(16),
            p=pool,
            c=conv(32, 8),
        )
        assert_same(net, (1, 16, 8, 8))
        names = kernels(net, (1, 16, 8, 8))
        assert len(names) == 5, names  # two convolutions, a pool, and a transpose at either end


def test_a_constant_along_the_width_is_no_channels() -> None:
    width = torch.arange(32.0)
    net = Net(lambda x, a, b: torch.relu(cat(a(x), b(x)) * width), a=conv(8, 16), b=conv(8, 16))
    assert_same(net, (1, 8, 8, 32))
