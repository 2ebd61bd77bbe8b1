"""What is asked of each rule, and which of them makes a layer's kernel."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
import tvm
from layers_of_each_kind import LAYERS, kernel, layers_for
from torch import nn
from tvm import relax, te, topi
from tvm.tirx import PrimFunc

from tvmlcnn import frontend, passes, pipeline
from tvmlcnn.passes.fuse import fuse
from tvmlcnn.schedules import ATTRIBUTE, alternatives, planned, rules_for, schedule, to_text
from tvmlcnn.schedules.decisions import DEFAULTS
from tvmlcnn.schedules.plan_text import from_text
from tvmlcnn.targets import DEVICES, FLOAT16, UINT8, Device, Gpu
from tvmlcnn.tuning.kernels import RULE, Fixed

X86 = DEVICES["x86"]


@pytest.mark.parametrize("target", DEVICES)
def test_plans_travel_as_text(target: str) -> None:
    """All but whether they pay and the definition, which have done their work by then."""
    device = DEVICES[target]
    rules = {rule.name: rule for rule in rules_for(device)}
    planning = set()
    for layer in layers_for(device).values():
        for rule in rules.values():
            plan = rule.plan(layer, device, DEFAULTS)
            if plan is not None:
                planning.add(rule.name)
                assert plan.rule == rule.name
                assert isinstance(plan.layout, rule.layout)
                assert from_text(to_text(plan), rules) == replace(plan, pays=True)
    # Without an instruction for several products a rule has none, nor without one for pairs.
    missing = {"depthwise_products": False, "depthwise_pairs": True}
    wanted = {rule for rule in rules if has_products(device, missing.get(rule))}
    if isinstance(device, Gpu) and not device.multiplies_by_warps(FLOAT16):
        wanted.discard("tensor_gemm")
    if isinstance(device, Gpu) and (device.codes is None or device.multiplies_by_warps(UINT8)):
        wanted.discard("dot_gemm")
    assert planning == wanted, "there is a layer for each rule"


def has_products(device: Device, paired: bool | None) -> bool:
    """Tell whether a device adds several products of codes at a time, in pairs or not.

    Those that are widened first are multiplied as numbers instead.
    """
    kinds = [kind.multiply_add for kind in getattr(device, "arithmetic", ())]
    several = [kind for kind in kinds if kind.products > 1 and kind.widened != "int16"]
    return paired is None or any(bool(kind.paired) == paired for kind in several)


@pytest.mark.parametrize(
    ("name", "target"),
    [(name, target) for target, device in DEVICES.items() for name in layers_for(device)],
)
def test_each_layer_has_a_plan(name: str, target: str) -> None:
    layer, device = LAYERS[name], DEVICES[target]
    names = [rule.name for rule in rules_for(device)]
    plan = planned(layer, device)
    assert plan.rule in [*alternatives(layer, device), names[-1]]
    assert planned(layer, device, Fixed({RULE: "no rule"})) == plan


@pytest.mark.parametrize("target", ["x86", "rpi2", "cuda"])
def test_a_policy_names_the_rule(target: str) -> None:
    device = DEVICES[target]
    for layer in layers_for(device).values():
        for rule in [*alternatives(layer, device), rules_for(device)[-1].name]:
            assert planned(layer, device, Fixed({RULE: rule})).rule == rule


def test_two_rules_can_make_a_3x3_convolution() -> None:
    assert alternatives(LAYERS["3x3"], X86) == ["winograd", "dense"]
    assert alternatives(LAYERS["strided"], X86) == ["winograd", "dense"]
    assert alternatives(LAYERS["first"], X86) == ["dense"]
    assert alternatives(LAYERS["odd"], X86) == []


def test_a_rule_that_does_not_pay_is_taken_where_it_is_named() -> None:
    layer = LAYERS["3x3 small"]
    assert alternatives(layer, X86) == ["winograd", "dense"]
    assert planned(layer, X86).rule == "dense"
    named = Fixed({RULE: "winograd"})
    assert planned(layer, X86, named).rule == "winograd"
    assert kernel(layer, X86, named).attrs["tvmlcnn.rule"] == "winograd"


@pytest.mark.parametrize("target", DEVICES)
def test_a_function_without_a_plan_goes_to_the_last_rule(target: str) -> None:
    device = DEVICES[target]
    data = te.placeholder((4, 100), "float32", "data")
    function = te.create_prim_func([data, topi.nn.softmax(data)])
    made = schedule(tvm.IRModule({"main": function}), device)["main"]
    assert made.attrs["tvmlcnn.rule"] == rules_for(device)[-1].name


def _plans(mod: tvm.IRModule) -> list[str]:
    return [
        str(function.attrs[ATTRIBUTE])
        for function in mod.functions.values()
        if isinstance(function, PrimFunc) and ATTRIBUTE in function.attrs
    ]


def _grouped(module: nn.Module, shape: tuple[int, ...]) -> tvm.IRModule:
    """Return a network just before its groups are fused."""
    mod = frontend.import_graph(module.eval(), frontend.random_inputs([shape])).mod
    phases = [*passes.graph_phases(X86), *passes.fusion_phases(X86)]
    (last,) = (number for number, phase in enumerate(phases) if phase.run is fuse)
    return pipeline.apply(phases[:last], mod, X86)


CONV_RELU = nn.Sequential(nn.Conv2d(32, 48, 1), nn.ReLU())


class Residual(nn.Module):
    """Of two convolutions the epilogues are taken by one each, and the sum by the second."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(32, 48, 1), nn.Conv2d(32, 48, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.a(x)) + torch.relu(self.b(x))


@pytest.mark.parametrize(("net", "count"), [(CONV_RELU, 1), (Residual(), 2)])
def test_a_fused_function_keeps_its_plan(net: nn.Module, count: int) -> None:
    grouped = _grouped(net, (1, 32, 8, 8))
    before, fused = _plans(grouped), fuse(grouped)
    assert len(before) in {1, count}  # convolutions of one form share a function until then
    assert len(_plans(fused)) == count
    assert set(_plans(fused)) == set(before)
    calls = [
        fused[binding.value.args[0]]
        for block in fused["main"].body.blocks
        for binding in block.bindings
        if isinstance(binding.value, relax.Call)
        and isinstance(binding.value.args[0], tvm.ir.GlobalVar)
    ]
    assert sum(ATTRIBUTE in function.attrs for function in calls) == count


def test_tvm_s_own_fusion_still_loses_plans() -> None:
    """Where it does not any more, `fuse` has nothing left to do."""
    assert _plans(relax.transform.FuseTIR()(_grouped(CONV_RELU, (1, 32, 8, 8)))) == []
