"""The numeric check of a library: who runs it, and when its result is right."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tvmlcnn import emulator
from tvmlcnn.package import evaluate as module
from tvmlcnn.package.evaluate import Evaluator, evaluate, evaluator, relative_error
from tvmlcnn.runtime.machine import machine
from tvmlcnn.targets import DEVICES, FLOAT32

HERE = replace(DEVICES["x86"], machine=machine())


def test_this_machine() -> None:
    assert evaluator(HERE, []) == Evaluator(sys.executable)


def test_a_processor_that_lacks_features() -> None:
    reason = evaluator(HERE, ["avx9000", "sse42000"])
    assert reason == "this processor lacks avx9000, sse42000"


def test_a_gpu_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_nvidia_gpu", lambda: False)
    device = replace(DEVICES["cuda"], machine=machine())
    assert "none with an NVIDIA GPU" in str(evaluator(device, []))
    monkeypatch.setattr(module, "has_nvidia_gpu", lambda: True)
    assert evaluator(device, []) == Evaluator(sys.executable)


def test_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    device = replace(HERE, machine="riscv64", emulated_cpu="core")
    monkeypatch.setattr(emulator, "find", lambda arch: None)
    assert "no emulator for riscv64 is installed" in str(evaluator(device, ["a"]))
    monkeypatch.setattr(emulator, "find", lambda arch: Path("/emulator") / arch)
    assert evaluator(device, ["a"]) == Evaluator("/emulator/riscv64", "core")
    unknown = replace(device, emulated_cpu=None)
    assert "no emulated processor is known" in str(evaluator(unknown, []))


@pytest.mark.parametrize(
    ("actual", "expected", "error"),
    [
        ([1.0, 2.0], [1.0, 2.0], 0.0),
        ([1.0, 2.5], [0.0, 4.0], 1.5 / 4),
        ([-3.0, 1.0], [-3.0, 1.0 + 4.0], 4 / 8),
        ([2.5, 2.0], [2.0, 2.0], 0.5 / 2),  # no range: over the largest
        ([0.25], [0.0], 0.25),
        ([], [], 0.0),
    ],
)
def test_error_over_the_range(actual: list[float], expected: list[float], error: float) -> None:
    arrays = (np.array(values, np.float32) for values in (actual, expected))
    assert relative_error(*arrays) == error


def test_another_shape() -> None:
    with pytest.raises(RuntimeError, match=r"has shape \(2, 1\), torch's has \(1, 2\)"):
        relative_error(np.zeros((2, 1)), np.zeros((1, 2)))


# Stands in for `tvmlcnn.runtime.run_arrays`: the network adds what its library says.
RUN_ARRAYS = """
import sys
import numpy as np
library, inputs, outputs = sys.argv[3:]
shift = float(open(library).read())
results = {name: array + np.float32(shift) for name, array in np.load(inputs).items()}
np.savez(outputs, **results)
"""


@pytest.fixture
def checked(tmp_path: Path) -> Callable[[str], dict[str, object]]:
    """Evaluate a network that should add one to both its inputs, in two cases."""
    program, python = tmp_path / "run.py", tmp_path / "python"
    program.write_text(RUN_ARRAYS)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    python.chmod(0o755)
    cases = {}
    for case in ("random", "image"):
        inputs = [np.linspace(0, 1, 5, dtype=np.float32), np.zeros((1, 2), np.float32)]
        cases[case] = (inputs, [array + 1 for array in inputs])

    def run(shift: str) -> dict[str, object]:
        (tmp_path / "library").write_text(shift)
        return evaluate(tmp_path / "library", cases, Evaluator(str(python)), FLOAT32)

    return run


def test_a_right_result(checked: Callable[[str], dict[str, object]]) -> None:
    expected = {"max_error": 0.0, "cases": {"random": 0.0, "image": 0.0}, "where": "this machine"}
    assert checked("1") == expected


@pytest.mark.parametrize("shift", [str(1 + 2 * FLOAT32.tolerance), "nan"])
def test_a_wrong_result(shift: str, checked: Callable[[str], dict[str, object]]) -> None:
    with pytest.raises(RuntimeError, match="something else than torch"):
        checked(shift)


def test_a_library_that_does_not_run(checked: Callable[[str], dict[str, object]]) -> None:
    with pytest.raises(RuntimeError, match=r"does not run \(exit 1\): (.|\n)*could not convert"):
        checked("no number")
