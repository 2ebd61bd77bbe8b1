"""How kernels are laid out on a device: one rule a file, one folder a kind of target.

The first rule of a list that takes a kernel schedules it; the last one of each list takes
everything, so that no kernel is left to TVM's bare loops.
"""

from __future__ import annotations

import tvm
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from . import cpu, cuda
from .rule import Rule

__all__ = ["RULES", "Rule", "kernels_by_rule", "schedule"]

RULES: dict[str, tuple[Rule, ...]] = {"llvm": cpu.RULES, "cuda": cuda.RULES}
_ATTRIBUTE = "tvmlcnn.rule"


def schedule(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    """Schedule each TensorIR function of the module by the first rule that takes it."""
    target = tvm.target.Target(device.tvm)
    functions = dict(mod.functions.items())
    with target:
        for variable, function in functions.items():
            if isinstance(function, PrimFunc):
                functions[variable] = _scheduled(variable.name_hint, function, device)
    return tvm.IRModule(functions, attrs=mod.attrs)


def _scheduled(name: str, function: PrimFunc, device: Device) -> PrimFunc:
    for rule in RULES[device.kind]:
        result = rule.apply(function, device)
        if result is not None:
            attrs = dict(function.attrs.items()) | {_ATTRIBUTE: rule.name}
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
            kernels.setdefault(str(function.attrs[_ATTRIBUTE]), []).append(variable.name_hint)
    return {rule: sorted(kernels[rule]) for rule in sorted(kernels)}
