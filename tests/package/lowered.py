"""A network of one kernel, as the package gets it: lowered, with its weights beside it."""

from __future__ import annotations

import numpy as np
import tvm
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn import pipeline
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(1)
SCALE = np.array([1, -2, 3, -4], np.float32)
SHIFT = np.array([[5], [6]], np.float32)


@I.ir_module
class Network:
    @R.function
    def main(x: R.Tensor((2, 4), "float32")):  # noqa: N805
        with R.dataflow():
            y = (R.nn.relu(R.add(R.multiply(x, R.const(SCALE)), R.const(SHIFT))),)
            R.output(y)
        return y


def lowered() -> tvm.IRModule:
    """Return the module after all phases."""
    return pipeline.run(Network, X86)


def expected(x: np.ndarray) -> np.ndarray:
    return np.maximum(x * SCALE + SHIFT, 0)
