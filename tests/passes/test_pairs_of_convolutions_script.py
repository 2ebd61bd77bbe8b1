"""Two convolutions as one call: what it takes, and that the graph stays where it does not pay."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from dataclasses import replace

import numpy as np
import tvm
from scripted import assert_becomes, conv2d, filled, functions
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.graph.constants import value_of
from tvmlcnn.passes import pairs_of_convolutions
from tvmlcnn.targets import DEVICES, Device

X86 = DEVICES["x86"].with_cores(1)
# A cache so small that the map does not fit, and large enough for most of it.
SMALL = replace(X86, caches=(1 << 10, 1 << 16))
WIDE, DEPTHWISE = filled(1, 1, 16, 48), filled(3, 3, 1, 48)
BIAS = filled(1, 1, 1, 48)


def assert_stays(mod: tvm.IRModule, device: Device) -> None:
    assert_becomes(lambda mod: functions(pairs_of_convolutions(device)(mod)), mod, mod)


@I.ir_module
class Pair:
    @R.function
    def main(x: R.Tensor((1, 36, 36, 16), "float32")):
        with R.dataflow():
            a = R.add(conv2d(x, WIDE, shape=(1, 36, 36, 48)), R.const(BIAS))
            b = R.nn.relu(a)
            c = conv2d(b, DEPTHWISE, shape=(1, 36, 36, 48), padding=(1, 1, 1, 1), groups=48)
            y = (R.nn.relu(c),)
            R.output(y)
        return y


def test_one_call_takes_both_weights_and_what_is_between() -> None:
    main = pairs_of_convolutions(SMALL)(Pair)["main"]
    kernel, after, _ = (binding.value for block in main.body.blocks for binding in block.bindings)
    assert kernel.op.name == "relax.call_tir"
    data, *constants = kernel.args[1].fields
    assert data == main.params[0]
    packed, depthwise, bias = map(value_of, constants)
    np.testing.assert_array_equal(np.concatenate(packed, axis=1)[:, :48], WIDE[0, 0])
    np.testing.assert_array_equal(depthwise, DEPTHWISE[:, :, 0])
    np.testing.assert_array_equal(bias[:48], BIAS[0, 0, 0])
    assert [int(n) for n in kernel.ty.shape] == [1, 36, 36, 48]
    assert after.op.name == "relax.nn.relu"


def test_a_map_that_the_cache_holds_stays() -> None:
    assert_stays(Pair, X86)


def test_what_something_else_reads_stays() -> None:
    @I.ir_module
    class Read:
        @R.function
        def main(x: R.Tensor((1, 36, 36, 16), "float32")):
            with R.dataflow():
                a = conv2d(x, WIDE, shape=(1, 36, 36, 48))
                b = R.nn.relu(a)
                c = conv2d(b, DEPTHWISE, shape=(1, 36, 36, 48), padding=(1, 1, 1, 1), groups=48)
                y = (R.add(b, c),)
                R.output(y)
            return y

    assert_stays(Read, SMALL)
