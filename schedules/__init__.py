"""How kernels are made for a device: one rule a file, one folder a family of targets.

A rule owns its kernel; see `rule` for the protocol. The last rule of each list takes everything,
so that no kernel is left to TVM's bare loops.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import tvm
from tvm.s_tir import Schedule
from tvm.tirx import PrimFunc

from tvmlcnn import plugins
from tvmlcnn.targets import CODES, ELEMENT_TYPES, FLOAT32, Device, ElementType

from . import cpu, cuda
from .decisions import DEFAULTS, Decisions, Policy
from .generated import kernel_name
from .layer import (
    BatchedProduct,
    Concatenation,
    Convolution,
    DepthwisePointwise,
    Layer,
    Normalization,
    PointwiseDepthwise,
    Pool,
    Product,
    Reduction,
    Resample,
    Rows,
    Softmax,
)
from .plan_text import ATTRIBUTE, from_text, to_text
from .rule import Definition, Plan, Rule

__all__ = [
    "ATTRIBUTE",
    "RULES",
    "BatchedProduct",
    "Concatenation",
    "Convolution",
    "Definition",
    "DepthwisePointwise",
    "Layer",
    "Normalization",
    "Plan",
    "PointwiseDepthwise",
    "Pool",
    "Product",
    "Reduction",
    "Resample",
    "Rows",
    "Rule",
    "Softmax",
    "alternatives",
    "element_of",
    "given_up",
    "kernels_by_rule",
    "planned",
    "rules_for",
    "rules_of_others",
    "schedule",
    "to_text",
    "why_given_up",
    "workloads",
]

RULES: dict[str, tuple[Rule, ...]] = {"cpu": cpu.RULES, "cuda": cuda.RULES}
"""By the family of the device; asked in this order."""
_EXCEEDED: dict[str, Callable[[PrimFunc, Any], str | None]] = {
    "cpu": lambda function, device: None,
    "cuda": cuda.exceeded,
}
"""By the family: which limit of the device a scheduled function exceeds."""
_RULE, _WORKLOAD, _ELEMENT = "tvmlcnn.rule", "tvmlcnn.workload", "tvmlcnn.element"
_GIVEN_UP = "tvmlcnn.given_up"


def rules_for(device: Device) -> tuple[Rule, ...]:
    """Return the rules for a device, in the order in which they are asked: other packages' first.

    Raises
    ------
    UserError
        If another package's rules cannot be loaded.
    """
    return (*rules_of_others().get(device.family, ()), *RULES[device.family])


def rules_of_others() -> dict[str, tuple[Rule, ...]]:
    """Return the rules of other packages, by the family of the device.

    A package adds its own by an entry point that names a mapping of the form of `RULES`::

        [project.entry-points."tvmlcnn.rules"]
        myrules = "myrules:RULES"

    Raises
    ------
    UserError
        If an entry point cannot be loaded, names something else, or a rule whose name is taken.
    """
    found: dict[str, tuple[Rule, ...]] = {}
    names = {rule.name for rules in RULES.values() for rule in rules}
    for point, loaded in plugins.load(plugins.RULES):
        if not isinstance(loaded, Mapping):
            raise plugins.unfit(point, f"names {loaded!r:.60}, which is no mapping of rules")
        for family, rules in loaded.items():
            if family not in RULES:
                known = ", ".join(RULES)
                raise plugins.unfit(point, f"has rules for {family!r}, which is none of {known}")
            if not isinstance(rules, tuple | list):
                raise plugins.unfit(point, f"names {rules!r:.60}, which is no sequence of rules")
            for rule in rules:
                if not isinstance(rule, Rule):
                    raise plugins.unfit(point, f"names {rule!r:.60}, which is no Rule")
                if rule.name in names:
                    raise plugins.unfit(point, f"adds the rule {rule.name!r}, which exists already")
                names.add(rule.name)
            found[family] = (*found.get(family, ()), *rules)
    return found


def planned(layer: Layer, device: Device, policy: Policy = DEFAULTS) -> Plan:
    """Return the plan for a layer: that of the rule which the policy names, or the first that pays.

    The last rule's plan always pays.
    """
    wanted = policy.rule(layer)
    plans = (
        rule.plan(layer, device, policy.of(rule.name, layer.workload, layer.element))
        for rule in sorted(rules_for(device), key=lambda rule: rule.name != wanted)
    )
    return next(plan for plan in plans if plan and (plan.pays or plan.rule == wanted))


def alternatives(layer: Layer, device: Device) -> list[str]:
    """Return the rules that can make a layer's kernel, but the one that takes everything."""
    *rules, _ = rules_for(device)
    return [rule.name for rule in rules if rule.plan(layer, device, DEFAULTS) is not None]


def schedule(mod: tvm.IRModule, device: Device, policy: Policy = DEFAULTS) -> tvm.IRModule:
    """Schedule each TensorIR function of the module by the rule that planned it."""
    functions = dict(mod.functions.items())
    rules = {rule.name: rule for rule in rules_for(device)}
    with tvm.target.Target(device.tvm):
        for variable, function in functions.items():
            if isinstance(function, PrimFunc):
                functions[variable] = _scheduled(function, rules, device, policy)
    return tvm.IRModule(functions, attrs=mod.attrs)


def _scheduled(
    function: PrimFunc, rules: dict[str, Rule], device: Device, policy: Policy
) -> PrimFunc:
    attrs = dict(function.attrs.items()) if function.attrs else {}
    if ATTRIBUTE in attrs:
        plan = from_text(str(attrs.pop(ATTRIBUTE)), rules)
        function = function.without_attr(ATTRIBUTE)
    else:
        element = device.element(str(function.params[-1].ty.dtype))
        takers = (rule for rule in rules.values() if rule.takes and rule.takes(function))
        name = next((rule.name for rule in takers), list(rules)[-1])
        plan = Plan(name, element, "", None)
    workload = plan.workload or kernel_name(function)
    decisions = policy.of(plan.rule, workload, plan.element)
    result = _laid_out(function, rules[plan.rule], plan, device, decisions)
    made_by = {_RULE: plan.rule, _WORKLOAD: workload, _ELEMENT: plan.element.name}
    *_, last = rules.values()
    reason = _EXCEEDED[device.family](result, device)
    if reason is not None and plan.rule != last.name:
        plain = Plan(last.name, plan.element, plan.workload, None)
        decisions = policy.of(last.name, workload, plan.element)
        result = _laid_out(function, last, plain, device, decisions)
        made_by |= {_RULE: last.name, _GIVEN_UP: f"{plan.rule} takes {reason}"}
    for key, value in {**attrs, **made_by}.items():
        result = result.with_attr(key, value)
    return result


def _laid_out(
    function: PrimFunc, rule: Rule, plan: Plan, device: Device, decisions: Decisions
) -> PrimFunc:
    sch = rule.schedule(Schedule(function), plan, device, decisions)
    return sch.mod[sch.mod.get_global_vars()[0]]


def given_up(mod: tvm.IRModule) -> dict[str, str]:
    """Return why the last rule made a kernel that another one had planned, by its name.

    Its schedule would have exceeded what the device has.
    """
    return {
        variable.name_hint: reason
        for variable, function in mod.functions.items()
        if isinstance(function, PrimFunc) and (reason := why_given_up(function)) is not None
    }


def why_given_up(function: PrimFunc) -> str | None:
    """Return why the last rule made a scheduled kernel that another one had planned, if it did."""
    attrs = function.attrs or {}
    return str(attrs[_GIVEN_UP]) if _GIVEN_UP in attrs else None


def kernels_by_rule(mod: tvm.IRModule) -> dict[str, list[str]]:
    """Return the names of the kernels under the name of the rule that made each."""
    kernels: dict[str, list[str]] = {}
    for variable, function in mod.functions.items():
        if isinstance(function, PrimFunc):
            kernels.setdefault(str(function.attrs[_RULE]), []).append(variable.name_hint)
    return {rule: sorted(kernels[rule]) for rule in sorted(kernels)}


def element_of(function: PrimFunc) -> ElementType:
    """Return the type that a scheduled kernel multiplies; that of one that TVM made is float32."""
    name = str((function.attrs or {}).get(_ELEMENT, FLOAT32.name))
    return (ELEMENT_TYPES | CODES)[name]


def workloads(mod: tvm.IRModule) -> dict[str, str]:
    """Return the workload of each kernel, as records of tuning know it, by the kernel's name."""
    return {
        variable.name_hint: str(function.attrs[_WORKLOAD])
        for variable, function in mod.functions.items()
        if isinstance(function, PrimFunc)
    }
