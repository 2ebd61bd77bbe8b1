"""Hard sigmoids for GPUs, which clamp to [0, 1] for nothing."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import numpy as np
from scripted import assert_becomes
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes.saturate import saturate
from tvmlcnn.targets import DEVICES

SIXTH = np.float32(1 / 6)
HALF = np.float32(3 * float(SIXTH))


@I.ir_module
class AsWritten:
    """Hard swish as torch and as networks write it."""

    @R.function
    def main(x: R.Tensor((1, 8, 4, 4), "float32")):
        with R.dataflow():
            a = R.multiply(R.clip(R.add(x, R.const(3.0, "float32")), 0, 6), R.const(SIXTH))
            b = R.multiply(x, a)
            c = R.multiply(b, R.clip(R.add(b, R.const(3.0, "float32")), 0, 6))
            d = R.multiply(c, R.const(SIXTH))
            y = (d,)
            R.output(y)
        return y


def test_hard_swish_is_clamped_to_one() -> None:
    @I.ir_module
    class After:
        @R.function
        def main(x: R.Tensor((1, 8, 4, 4), "float32")):
            with R.dataflow():
                a = R.clip(R.add(R.multiply(x, R.const(SIXTH)), R.const(HALF)), 0.0, 1.0)
                b = R.multiply(x, a)
                c = R.clip(R.add(R.multiply(b, R.const(SIXTH)), R.const(HALF)), 0.0, 1.0)
                d = R.multiply(b, c)
                y = (d,)
                R.output(y)
            return y

    assert_becomes(saturate(DEVICES["cuda"]), AsWritten, After)


def test_other_targets_keep_it() -> None:
    assert_becomes(saturate(DEVICES["rpi4"]), AsWritten, AsWritten)


def test_other_bounds_stay() -> None:
    @I.ir_module
    class Before:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                y = (R.multiply(R.clip(x, -1, 6), R.const(SIXTH)), R.clip(x, 0, 6))
                R.output(y)
            return y

    assert_becomes(saturate(DEVICES["cuda"]), Before, Before)
