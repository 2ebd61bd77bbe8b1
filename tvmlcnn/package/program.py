"""A lowered module as code: its kernels, and the program that calls them."""

from __future__ import annotations

import tvm
from tvm import relax
from tvm.relax.vm_build import _vmcodegen, _vmlink
from tvm.runtime import Executable
from tvm.tirx import PrimFunc

from tvmlcnn.runtime.manifest import STEPWISE
from tvmlcnn.targets import Device


def build(mod: tvm.IRModule, device: Device) -> Executable:
    """Generate code for the kernels of a module, and for each of its programs in two forms.

    As machine code it calls a kernel in less than a third of the time that TVM's virtual machine
    takes to interpret the same, which are 15 to 20 us a network. As bytecode it can be observed:
    see `tvmlcnn.runtime.model.Model.record`. TVM's `relax.build` makes one or the other.

    Parameters
    ----------
    mod : tvm.IRModule
        From `tvmlcnn.package.variants`.
    device : Device
    """
    programs = {
        variable.name_hint + STEPWISE: function
        for variable, function in mod.functions.items()
        if isinstance(function, relax.Function)
    }
    stepwise = tvm.IRModule(
        {name: program.with_attr("global_symbol", name) for name, program in programs.items()}
    )
    stepwise.update(_kernels(mod))
    builder = relax.ExecBuilder()
    _vmcodegen(builder, stepwise, "bytecode")
    code = _vmcodegen(builder, mod, "compiled")
    return _vmlink(builder, tvm.target.Target(device.tvm), _kernels(code))


def _kernels(mod: tvm.IRModule) -> tvm.IRModule:
    """Return the functions in TensorIR."""
    functions = {v: f for v, f in mod.functions.items() if isinstance(f, PrimFunc)}
    return tvm.IRModule(functions, attrs=mod.attrs)
