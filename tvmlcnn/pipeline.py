"""Running a network's phases: all of them for a file, some of them to tune a kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import tvm

from tvmlcnn.files import write_whole
from tvmlcnn.passes import Phase, phases
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import FLOAT32, Device, ElementType


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
    element: ElementType = FLOAT32,
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
    element : ElementType
        What layers of float32 are to compute in.
    """
    if dump is not None:
        _dump(mod, dump, 0, "import")
    device = device.rounding(element)
    with tvm.target.Target(device.tvm):
        for number, phase in enumerate(phases(device, policy, element), start=1):
            started(phase.name)
            mod = phase.run(mod)
            if dump is not None:
                _dump(mod, dump, number, phase.name)
    return mod


def _dump(mod: tvm.IRModule, folder: Path, number: int, name: str) -> None:
    path = folder / f"{number:02d}-{name.replace(' ', '-')}.py"
    write_whole(path, lambda file: file.write(mod.script(show_meta=False).encode()))
