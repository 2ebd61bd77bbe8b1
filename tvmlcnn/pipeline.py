"""The way of a network through the compiler: a flat list of phases."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tvm
from tvm import relax

from tvmlcnn import passes
from tvmlcnn.schedules import schedule
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import Cpu, Device

transform = relax.transform


@dataclass(frozen=True)
class Phase:
    """One step: a name that a user sees, and a function from module to module."""

    name: str
    run: Callable[[tvm.IRModule], tvm.IRModule]


def phases(device: Device, policy: Policy = DEFAULTS) -> list[Phase]:
    """Return the phases between the imported graph and the code generator, in order.

    Parameters
    ----------
    device : Device
    policy : Policy
        Decides where schedules leave a choice; by default by the device's figures.
    """
    return [
        *graph_phases(device),
        *kernel_phases(device, policy),
        *_program_phases(),
    ]


def graph_phases(device: Device) -> list[Phase]:
    """Return the rewrites of the graph: what a light CNN computes."""
    return [
        Phase("fold constants", passes.fold_constants),
        Phase("fold batch norm", passes.fold_batch_norm),
        Phase("count", passes.count_flops),
        *_LAYOUT_PHASES[device.family](device),
    ]


def _channels_last_phases(device: Cpu) -> list[Phase]:
    """Return the rewrites to channels-last activations, and those that build on them."""
    return [
        Phase("channels last", passes.channels_last(device)),
        Phase("take prologues", passes.take_prologues),
        Phase("depthwise after pointwise", passes.depthwise_after_pointwise(device)),
    ]


_LAYOUT_PHASES: dict[str, Callable[[Any], list[Phase]]] = {
    "cpu": _channels_last_phases,
    "cuda": lambda device: [],
}
"""By the family of the device."""


def fusion_phases(device: Device, policy: Policy = DEFAULTS) -> list[Phase]:
    """Return the way from operators to fused TensorIR functions."""
    return [
        Phase("legalize", passes.legalize(device, policy)),
        Phase("annotate", transform.AnnotateTIROpPattern()),
        Phase("group", passes.group),
        Phase("fuse", passes.fuse),
    ]


def kernel_phases(device: Device, policy: Policy = DEFAULTS) -> list[Phase]:
    """Return the way from operators to scheduled kernels."""
    scheduling = Phase("schedule", lambda mod: schedule(mod, device, policy))
    return [*fusion_phases(device, policy), scheduling]


def _program_phases() -> list[Phase]:
    """Return the way to a program: memory, calls, and weights as arguments."""
    return [
        Phase("lift weights", passes.lift_weights),
        Phase("views", transform.RewriteDataflowReshape()),
        Phase("unaligned inputs", passes.unaligned_inputs),
        Phase("list kernels", passes.list_kernel_calls),
        Phase("plan", _plan),
    ]


# Shapes are known, and the runtime checks the inputs: VMShapeLower would only have each call check
# each weight again.
_plan = tvm.transform.Sequential(
    [
        transform.ToNonDataflow(),
        transform.RemovePurityChecking(),
        transform.CallTIRRewrite(),
        passes.PlaceJoins(),
        transform.StaticPlanBlockMemory(),
        transform.LowerAllocTensor(),
        transform.KillAfterLastUse(),
        transform.LowerRuntimeBuiltin(),
        transform.ComputePrimValue(),
        transform.AttachGlobalSymbol(),
    ]
)


def apply(phases: Iterable[Phase], mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    """Return the module after some of the phases."""
    with tvm.target.Target(device.tvm):
        for phase in phases:
            mod = phase.run(mod)
    return mod


def run(
    mod: tvm.IRModule,
    device: Device,
    policy: Policy = DEFAULTS,
    dump: Path | None = None,
    started: Callable[[str], None] = lambda name: None,
) -> tvm.IRModule:
    """Run the phases.

    Parameters
    ----------
    mod : tvm.IRModule
        The imported network; ``main`` takes its inputs.
    device : Device
    policy : Policy
    dump : Path, optional
        Existing folder that gets the module after each phase, as ``NN-phase.py``.
    started : callable
        Called with the name of each phase before it runs.
    """
    if dump is not None:
        _dump(mod, dump, 0, "import")
    with tvm.target.Target(device.tvm):
        for number, phase in enumerate(phases(device, policy), start=1):
            started(phase.name)
            mod = phase.run(mod)
            if dump is not None:
                _dump(mod, dump, number, phase.name)
    return mod


def _dump(mod: tvm.IRModule, folder: Path, number: int, name: str) -> None:
    path = folder / f"{number:02d}-{name.replace(' ', '-')}.py"
    path.write_text(mod.script(show_meta=False))
