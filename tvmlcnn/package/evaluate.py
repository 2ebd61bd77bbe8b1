"""Check a library: run it in a process of its own, in emulation where it is for another machine.

The process loads the library through the public API, as an application will. A kernel that
crashes ends that process and not the compiler.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn import emulator
from tvmlcnn.files import scratch
from tvmlcnn.frontend import Doubt
from tvmlcnn.runtime.machine import cpu_features, machine
from tvmlcnn.runtime.nvidia import has_gpu
from tvmlcnn.runtime.run_arrays import TIMES
from tvmlcnn.targets import Device, ElementType

from .comparison import error, undecided

_ROUNDS = 3  # of which the least time of a kernel counts

Cases = dict[str, tuple[list[np.ndarray], list[np.ndarray]]]


class DiffersError(RuntimeError):
    """An output that is further from torch's than its type allows."""


@dataclass(frozen=True)
class Evaluator:
    """A Python that can run a target's code.

    Attributes
    ----------
    python : str
        Its path.
    emulated_cpu : str or None
        QEMU's name of the processor, None where it is this machine's.
    times_kernels : bool
        Whether the time of a kernel says something of it: on a CPU of this machine.
    """

    python: str
    emulated_cpu: str | None = None
    times_kernels: bool = False


def evaluator(device: Device, features: Sequence[str]) -> Evaluator | str:
    """Return what can run the device's code, or, where nothing can, the reason."""
    if device.gpu_code and not (device.machine == machine() and has_gpu()):
        return f"this machine is none with an NVIDIA GPU for {device.name}"
    if device.machine == machine():
        missing = sorted(set(features) - cpu_features())
        if missing:
            return f"this processor lacks {', '.join(missing)}"
        return Evaluator(sys.executable, times_kernels=not device.gpu_code)
    if device.emulated_cpu is None:
        return f"no emulated processor is known for {device.name}"
    python = emulator.find(device.machine)
    if python is None:
        return f"no emulator for {device.machine} is installed; see tools/emulated_pi.py"
    return Evaluator(str(python), device.emulated_cpu)


def evaluate(
    library: Path,
    cases: Cases,
    where: Evaluator,
    element: ElementType,
    doubt: Callable[[str], Doubt],
) -> tuple[dict[str, Any], np.ndarray | None]:
    """Return the numeric check of a library, for the manifest, and the times of its kernels.

    Those are in microseconds, of one thread, in the order of the first program's calls; None where
    the library runs in emulation or on a GPU, whose times say nothing of a kernel.

    Parameters
    ----------
    library : Path
    cases : dict
        Inputs and expected outputs by the name of the case.
    where : Evaluator
    element : ElementType
        What the network computes in.
    doubt : callable
        Called with the name of a case where a result differs: what torch computes when rounding
        is another.

    Raises
    ------
    RuntimeError
        If the library does not run, or an output differs from the expected one by more than the
        type's tolerance (see `comparison.error`), where rounding does not decide.
    """
    results, times = _run(library, cases, where)
    errors: dict[str, float] = {}
    differing, unsure = {}, {}
    numbers = any(_are_numbers(expected) for _, expected in cases.values())
    for case, (_, expected) in cases.items():
        actual = results[case]
        if len(actual) != len(expected):
            raise RuntimeError(
                f"the library has {len(actual)} outputs, torch's are {len(expected)}"
            )
        elements = [error(*pair) for pair in zip(actual, expected, strict=True)]
        wrong = [each > element.tolerance for each in elements]
        if any(each.any() for each in wrong):
            differing[case] = max(float(each.max(initial=0.0)) for each in elements)
            excused = _undecided(actual, expected, doubt(case))
            if numbers:
                excused = list(map(_or_lost, excused, actual, expected))
            lost = [each & among for each, among in zip(wrong, excused, strict=True)]
            elements = [each[~gone] for each, gone in zip(elements, lost, strict=True)]
            unsure[case] = sum(int(np.count_nonzero(gone)) for gone in lost)
        errors[case] = max(float(each.max(initial=0.0)) for each in elements)
    worst = max(errors.values())
    if worst > element.tolerance:
        raise DiffersError(
            f"the compiled library computes something else than torch: errors {differing} of the "
            f"output's range, {element.tolerance} is allowed"
        )
    place = f"emulated {where.emulated_cpu}" if where.emulated_cpu else "this machine"
    found = {"max_error": worst, "cases": errors, "where": place}
    return found | ({"undecided": unsure} if unsure else {}), times


def _are_numbers(outputs: Sequence[np.ndarray]) -> bool:
    return not any(np.isnan(output).any() for output in outputs)


def _or_lost(excused: np.ndarray, actual: np.ndarray, expected: np.ndarray) -> np.ndarray:
    """Tell also where torch has no number and the library has one.

    A maximum, as a ReLU's, is the number where one of the two is none, on most processors. For a
    network that has numbers for other inputs such an input is one that it is not made for.
    """
    return excused | (np.isnan(expected) & ~np.isnan(actual))


def _undecided(
    actual: list[np.ndarray], expected: list[np.ndarray], doubt: Doubt
) -> list[np.ndarray]:
    """Tell of each output which elements rounding decides."""
    return [
        undecided(
            *pair,
            None if doubt.exact is None else doubt.exact[index],
            [outputs[index] for outputs in doubt.disturbed],
        )
        for index, pair in enumerate(zip(actual, expected, strict=True))
    ]


def _run(
    library: Path, cases: Cases, where: Evaluator
) -> tuple[dict[str, list[np.ndarray]], np.ndarray | None]:
    """Return the outputs of each case and the kernels' times, from a process of its own."""
    with (
        scratch("tvmlcnn-check-") as folder,
        emulator.environment(where.emulated_cpu) as environment,
    ):
        inputs: dict[str, Any] = {
            f"{case}.{i}": x for case, (xs, _) in cases.items() for i, x in enumerate(xs)
        }
        np.savez(folder / "inputs.npz", **inputs)
        done = subprocess.run(
            [where.python, "-m", "tvmlcnn.runtime.run_arrays", str(library.absolute())]
            + [str(folder / "inputs.npz"), str(folder / "outputs.npz")]
            + [str(_ROUNDS if where.times_kernels else 0)],
            env=environment,
            cwd=folder,  # what lies in the user's would go before Python's own modules
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"the compiled library does not run (exit {done.returncode}): {done.stderr.strip()}"
            )
        with np.load(folder / "outputs.npz") as outputs:
            results = {
                case: [outputs[f"{case}.{i}"] for i in range(_count(outputs.files, case))]
                for case in cases
            }
            return results, outputs[TIMES] if TIMES in outputs.files else None


def _count(names: Sequence[str], case: str) -> int:
    return sum(name.rpartition(".")[0] == case for name in names)
