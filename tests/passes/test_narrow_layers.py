"""What is rounded to sixteen bits, and where."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
import pytest
import tvm
from scripted import assert_becomes, filled
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes.narrow_layers import narrow_layers
from tvmlcnn.targets import BFLOAT16, DEVICES, FLOAT16, Cpu, resolve

ZEN = resolve({"kind": "llvm", "mtriple": "x86_64-unknown-linux-gnu", "mcpu": "znver4"})
RPI5 = DEVICES["rpi5"]
assert isinstance(ZEN, Cpu)
assert isinstance(RPI5, Cpu)
WEIGHT = filled(8, 8, 1, 1) / 64
BIAS = filled(8, 1, 1)
BF_WEIGHT = WEIGHT.astype("bfloat16")


@I.ir_module
class Residual:
    @R.function
    def main(x: R.Tensor((1, 8, 4, 4), "float32")):
        with R.dataflow():
            a = R.nn.conv2d(x, R.const(WEIGHT))
            b = R.add(a, R.const(BIAS))
            c = R.nn.conv2d(b, R.const(WEIGHT))
            d = R.add(c, b)
            e = (R.nn.silu(d),)
            R.output(e)
        return e


def test_what_layers_read_is_rounded_once_and_all_that_read_it_read_it_so() -> None:
    """Sums stay float32 and so does what only leads to the result."""

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 4, 4), "float32")):
            with R.dataflow():
                x_ = R.astype(x, "bfloat16")
                a = R.nn.conv2d(x_, R.const(BF_WEIGHT, "bfloat16"), out_dtype="float32")
                b = R.add(a, R.const(BIAS))
                b_ = R.astype(b, "bfloat16")
                c = R.nn.conv2d(b_, R.const(BF_WEIGHT, "bfloat16"), out_dtype="float32")
                wide = R.astype(b_, "float32")
                d = R.add(c, wide)
                e = (R.nn.silu(d),)
                R.output(e)
            return e

    assert_becomes(narrow_layers(ZEN, BFLOAT16), Residual, After)


def test_element_wise_operators_are_narrow_where_the_processor_has_them() -> None:
    """What is on its way to a layer; what leads to the result is widened."""
    half, bias = WEIGHT.astype("float16"), BIAS.astype("float16")

    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 4, 4), "float32")):
            with R.dataflow():
                x_ = R.astype(x, "float16")
                a = R.nn.conv2d(x_, R.const(half), out_dtype="float16")
                b = R.add(a, R.const(bias))
                c = R.nn.conv2d(b, R.const(half), out_dtype="float16")
                c_ = R.astype(c, "float32")
                b_ = R.astype(b, "float32")
                d = R.add(c_, b_)
                e = (R.nn.silu(d),)
                R.output(e)
            return e

    assert_becomes(narrow_layers(RPI5, FLOAT16), Residual, After)


def convolution(weight: np.ndarray) -> tvm.IRModule:
    """Return a network of one convolution."""
    channels = weight.shape[1]

    @I.ir_module
    class Network:
        @R.function
        def main(x: R.Tensor((1, channels, 4, 4), "float32")):
            with R.dataflow():
                a = (R.nn.conv2d(x, R.const(weight)),)
                R.output(a)
            return a

    return Network


@pytest.mark.parametrize("scale", [1e6, 1e-9])
def test_weights_beyond_the_range_stay(scale: float) -> None:
    weight = (WEIGHT * scale).astype("float32")

    before = convolution(weight)
    assert_becomes(narrow_layers(RPI5, FLOAT16), before, before)


def test_weights_that_are_negligible_beside_others_do_not_count() -> None:
    weight = WEIGHT.copy()
    weight[0] = 1e-9

    before = convolution(weight)
    assert "float16" in narrow_layers(RPI5, FLOAT16)(before).script()


def test_a_picture_is_read_as_it_is_where_sums_are_float32() -> None:
    weight = np.ascontiguousarray(WEIGHT[:, :3])

    before = convolution(weight)
    assert_becomes(narrow_layers(ZEN, BFLOAT16), before, before)
