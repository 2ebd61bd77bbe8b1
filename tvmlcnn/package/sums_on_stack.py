"""Sums of a tile on the stack, from where LLVM takes them into registers.

TVM takes what is a kilobyte or more from the heap, where sums are written back before whatever may
read memory. Registers of 512 bits hold two.
"""

from __future__ import annotations

import math

import tvm
import tvm_ffi
from tvm import tirx

from tvmlcnn.targets import Device

# TVM leaves buffers of this annotation as they are, and its code generator has such on the stack.
_ON_STACK = {"disable_lower_builtin": tirx.IntImm("bool", 1)}


def sums_on_stack(device: Device) -> tvm.transform.Pass:
    """Return the pass that has buffers which the registers hold on the stack."""

    def taken(node: tirx.AllocBuffer) -> tirx.Stmt:
        buffer = node.buffer
        size = tvm.DataType(str(buffer.dtype)).itemsize
        if size * math.prod(int(extent) for extent in buffer.shape) > device.register_bytes:
            return node
        return tirx.AllocBuffer(buffer, {**node.annotations, **_ON_STACK})

    def run(function: tirx.PrimFunc, mod: tvm.IRModule, context: object) -> tirx.PrimFunc:
        return function.with_body(
            tvm_ffi.structural_map(function.body, ((tirx.AllocBuffer, taken),))
        )

    return tirx.transform.prim_func_pass(run, opt_level=0, name="sums_on_stack")
