"""How kernels are laid out on a device: one rule a file, one folder a kind of target.

The first rule of a list that takes a kernel schedules it; the last one of each list takes
everything, so that no kernel is left to TVM's bare loops.
"""

from __future__ import annotations

import tvm
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn.ops.tile import WORKLOAD
from tvmlcnn.targets import Device

from . import cpu, cuda
from .decisions import DEFAULTS, Policy
from .generated import kernel_name
from .rule import Rule

__all__ = ["RULES", "Rule", "kernels_by_rule", "schedule", "workloads"]

RULES: dict[str, tuple[Rule, ...]] = {"llvm": cpu.RULES, "cuda": cuda.RULES}
_RULE = "tvmlcnn.rule"


def schedule(mod: tvm.IRModule, device: Device, policy: Policy = DEFAULTS) -> tvm.IRModule:
    """Schedule each TensorIR function of the module by the first rule that takes it."""
    target = tvm.target.Target(device.tvm)
    functions = dict(mod.functions.items())
    with target:
        for variable, function in functions.items():
            if isinstance(function, PrimFunc):
                functions[variable] = _scheduled(variable.name_hint, function, device, policy)
    return tvm.IRModule(functions, attrs=mod.attrs)


def _scheduled(name: str, function: PrimFunc, device: Device, policy: Policy) -> PrimFunc:
    workload = _workload(function)
    for rule in RULES[device.kind]:
        result = rule.apply(function, device, policy)
        if result is not None:
            attrs = {**function.attrs, _RULE: rule.name, WORKLOAD: workload}
            new = result.mod[result.mod.get_global_vars()[0]]
            for key, value in attrs.items():
                new = new.with_attr(key, value)
            return new
    raise RuntimeError(f"no rule of {device.kind} takes the kernel {name}")


def kernels_by_rule(mod: tvm.IRModule) -> dict[str, list[str]]:
    """Return the names of the kernels under the name of the rule that made each."""
    kernels: dict[str, list[str]] = {}
    for variable, function in mod.functions.items():
        if isinstance(function, PrimFunc):
            kernels.setdefault(str(function.attrs[_RULE]), []).append(variable.name_hint)
    return {rule: sorted(kernels[rule]) for rule in sorted(kernels)}


def workloads(mod: tvm.IRModule) -> dict[str, str]:
    """Return the workload of each kernel, as records of tuning know it, by the kernel's name."""
    return {
        variable.name_hint: str(function.attrs[WORKLOAD])
        for variable, function in mod.functions.items()
        if isinstance(function, PrimFunc)
    }


def _workload(function: PrimFunc) -> str:
    """Return what a function computes: what its workload says, else its own structure."""
    sch = Schedule(function)
    for block in sch.get_child_blocks(sch.get_sblock("root")):
        if name := str(sch.get(block).annotations.get(WORKLOAD, "")):
            return name
    return kernel_name(function)
