"""A lowered module as code: its kernels, and the program that calls them."""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax.vm_build import _vmcodegen, _vmlink
from tvm.runtime import Executable
from tvm.tirx import PrimFunc

from tvmlcnn.runtime.manifest import PROGRAM, STEPWISE
from tvmlcnn.targets import Device


def build(mod: tvm.IRModule, device: Device) -> Executable:
    """Generate code for the kernels of a module, and for its ``main`` in two forms.

    As machine code it calls a kernel in less than a third of the time that TVM's virtual machine
    takes to interpret the same, which are 15 to 20 us a network. As bytecode it can be observed:
    see `tvmlcnn.runtime.model.Model.record`. TVM's `relax.build` makes one or the other.

    Parameters
    ----------
    mod : tvm.IRModule
        From `tvmlcnn.pipeline`, without its weights.
    device : Device
    """
    main = mod[PROGRAM]
    stepwise = tvm.IRModule({STEPWISE: main.with_attr("global_symbol", STEPWISE)})
    stepwise.update(_kernels(mod))
    builder = relax.ExecBuilder()
    _vmcodegen(builder, stepwise, "bytecode")
    code = _vmcodegen(builder, mod, "compiled")
    return _vmlink(builder, tvm.target.Target(device.tvm), _kernels(code))


def _kernels(mod: tvm.IRModule) -> tvm.IRModule:
    """Return the functions in TensorIR."""
    functions = {v: f for v, f in mod.functions.items() if isinstance(f, PrimFunc)}
    return tvm.IRModule(functions, attrs=mod.attrs)
