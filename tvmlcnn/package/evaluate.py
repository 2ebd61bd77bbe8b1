"""Check a library: run it in a process of its own, in emulation where it is for another machine.

The process loads the library through the public API, as an application will. A kernel that
crashes ends that process and not the compiler.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn import emulator
from tvmlcnn.runtime.machine import cpu_features, has_nvidia_gpu, machine
from tvmlcnn.targets import Device, ElementType

Cases = dict[str, tuple[list[np.ndarray], list[np.ndarray]]]


@dataclass(frozen=True)
class Evaluator:
    """A Python that can run a target's code.

    Attributes
    ----------
    python : str
        Its path.
    emulated_cpu : str or None
        QEMU's name of the processor, None where it is this machine's.
    """

    python: str
    emulated_cpu: str | None = None


def evaluator(device: Device, features: Sequence[str]) -> Evaluator | str:
    """Return what can run the device's code, or, where nothing can, the reason."""
    if device.gpu_code and not (device.machine == machine() and has_nvidia_gpu()):
        return f"this machine is none with an NVIDIA GPU for {device.name}"
    if device.machine == machine():
        missing = sorted(set(features) - cpu_features())
        if missing:
            return f"this processor lacks {', '.join(missing)}"
        return Evaluator(sys.executable)
    if device.emulated_cpu is None:
        return f"no emulated processor is known for {device.name}"
    python = emulator.find(device.machine)
    if python is None:
        return f"no emulator for {device.machine} is installed; see tools/emulated_pi.py"
    return Evaluator(str(python), device.emulated_cpu)


def evaluate(library: Path, cases: Cases, where: Evaluator, element: ElementType) -> dict[str, Any]:
    """Return the numeric check of a library, for the manifest.

    Parameters
    ----------
    library : Path
    cases : dict
        Inputs and expected outputs by the name of the case.
    where : Evaluator
    element : ElementType
        What the network computes in.

    Raises
    ------
    RuntimeError
        If the library does not run, or an output is further from the expected one than
        the type's tolerance times the range of the expected values.
    """
    with (
        tempfile.TemporaryDirectory(prefix="tvmlcnn-check-") as name,
        emulator.environment(where.emulated_cpu) as environment,
    ):
        folder = Path(name)
        inputs: dict[str, Any] = {
            f"{case}.{i}": x for case, (xs, _) in cases.items() for i, x in enumerate(xs)
        }
        np.savez(folder / "inputs.npz", **inputs)
        done = subprocess.run(
            [where.python, "-m", "tvmlcnn.runtime.run_arrays", str(library)]
            + [str(folder / "inputs.npz"), str(folder / "outputs.npz")],
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(
                f"the compiled library does not run (exit {done.returncode}): {done.stderr.strip()}"
            )
        with np.load(folder / "outputs.npz") as outputs:
            errors = {
                case: max(
                    relative_error(outputs[f"{case}.{i}"], array) for i, array in enumerate(arrays)
                )
                for case, (_, arrays) in cases.items()
            }
    worst = max(errors.values())
    if not worst <= element.tolerance:  # not a number is a failure too
        raise RuntimeError(
            f"the compiled library computes something else than torch: errors {errors} of the "
            f"output's range, {element.tolerance} is allowed"
        )
    place = f"emulated {where.emulated_cpu}" if where.emulated_cpu else "this machine"
    return {"max_error": worst, "cases": errors, "where": place}


def relative_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest absolute difference over the range of the expected values."""
    if actual.shape != expected.shape:
        raise RuntimeError(f"the output has shape {actual.shape}, torch's has {expected.shape}")
    if not expected.size:
        return 0.0
    span = float(expected.max()) - float(expected.min())
    scale = span or float(np.abs(expected).max()) or 1.0
    return float(np.abs(actual.astype(np.float64) - expected).max()) / scale
