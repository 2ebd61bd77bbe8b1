"""The numeric check of a library: who runs it, and when its result is right."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tvmlcnn import emulator
from tvmlcnn.frontend import Doubt
from tvmlcnn.package import evaluate as module
from tvmlcnn.package.evaluate import Cases, Evaluator, evaluate, evaluator
from tvmlcnn.runtime.machine import machine
from tvmlcnn.targets import DEVICES, FLOAT32

Checked = Callable[..., dict[str, object]]
HERE = replace(DEVICES["x86"], machine=machine())


def test_this_machine() -> None:
    assert evaluator(HERE, []) == Evaluator(sys.executable, times_kernels=True)


def test_a_processor_that_lacks_features() -> None:
    reason = evaluator(HERE, ["avx9000", "sse42000"])
    assert reason == "this processor lacks avx9000, sse42000"


def test_a_gpu_that_is_not_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "has_gpu", lambda: False)
    device = replace(DEVICES["cuda"], machine=machine())
    assert "none with an NVIDIA GPU" in str(evaluator(device, []))
    monkeypatch.setattr(module, "has_gpu", lambda: True)
    assert evaluator(device, []) == Evaluator(sys.executable)


def test_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    device = replace(HERE, machine="riscv64", emulated_cpu="core")
    monkeypatch.setattr(emulator, "find", lambda arch: None)
    assert "no emulator for riscv64 is installed" in str(evaluator(device, ["a"]))
    monkeypatch.setattr(emulator, "find", lambda arch: Path("/emulator") / arch)
    assert evaluator(device, ["a"]) == Evaluator("/emulator/riscv64", "core")
    unknown = replace(device, emulated_cpu=None)
    assert "no emulated processor is known" in str(evaluator(unknown, []))


# Stands in for `tvmlcnn.runtime.run_arrays`: the network adds what its library says.
RUN_ARRAYS = """
import sys
import numpy as np
library, inputs, outputs, _ = sys.argv[3:]
shift = float(open(library).read())
results = {name: array + np.float32(shift) for name, array in np.load(inputs).items()}
np.savez(outputs, **results)
"""


def none(case: str) -> Doubt:
    return Doubt(None, [])


@pytest.fixture
def checked(tmp_path: Path) -> Checked:
    """Evaluate a network that should add one to both its inputs, in two cases."""
    program, python = tmp_path / "run.py", tmp_path / "python"
    program.write_text(RUN_ARRAYS)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} {program} "$@"\n')
    python.chmod(0o755)
    usual = {}
    for case in ("random", "image"):
        inputs = [np.linspace(0, 1, 5, dtype=np.float32), np.zeros((1, 2), np.float32)]
        usual[case] = (inputs, [array + 1 for array in inputs])

    def run(
        shift: str, doubt: Callable[[str], Doubt] = none, cases: Cases = usual
    ) -> dict[str, object]:
        (tmp_path / "library").write_text(shift)
        library = tmp_path / "library"
        found, times = evaluate(library, cases, Evaluator(str(python)), FLOAT32, doubt)
        assert times is None
        return found

    return run


def test_a_right_result(checked: Checked) -> None:
    expected = {"max_error": 0.0, "cases": {"random": 0.0, "image": 0.0}, "where": "this machine"}
    assert checked("1") == expected


@pytest.mark.parametrize("shift", [str(1 + 2 * FLOAT32.tolerance), "nan"])
def test_a_wrong_result(shift: str, checked: Checked) -> None:
    with pytest.raises(RuntimeError, match="something else than torch"):
        checked(shift)


def test_what_rounding_decides_is_counted(checked: Checked) -> None:
    """One of a case's elements moves as far when the input is disturbed."""
    asked = []
    moved = [np.array([1, 1.25, 1.5, 1.75, 3], np.float32), np.ones((1, 2), np.float32)]

    def doubt(case: str) -> Doubt:
        asked.append(case)
        return Doubt(None, [moved])

    assert "undecided" not in checked("1", doubt)
    assert not asked
    with pytest.raises(RuntimeError, match="something else than torch"):
        checked("1.5", doubt)  # the others are wrong
    assert asked == ["random", "image"]
    everything = [[array + 2 for array in (np.linspace(0, 1, 5, dtype="f4"), np.zeros((1, 2)))]]
    everything = [[array.astype("f4") for array in everything[0]]]
    found = checked("1.5", lambda case: Doubt(None, everything))
    assert found["undecided"] == {"random": 7, "image": 7}


@pytest.mark.parametrize("passes", [True, False])
def test_no_number_that_a_maximum_loses(passes: bool, checked: Checked) -> None:
    """Where torch has none and the library has; there is another input that has numbers."""
    lost = np.array([1, np.nan], "f4")
    cases = {"random": ([np.array([0, 1], "f4")], [lost])}
    cases["uniform"] = ([np.zeros(2, "f4")], [np.ones(2, "f4") if passes else lost])
    if passes:
        assert checked("1", cases=cases)["undecided"] == {"random": 1}
    else:
        with pytest.raises(RuntimeError, match="something else than torch"):
            checked("1", cases=cases)
    cases["random"][1][0][:] = 7
    with pytest.raises(RuntimeError, match="something else than torch"):
        checked("1", cases=cases)


def test_a_user_s_modules_are_not_the_program_s(
    checked: Checked, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What lies in the working folder is not imported in Python's place."""
    folder = tmp_path / "user"
    folder.mkdir()
    for name in ("types", "random", "json"):
        (folder / f"{name}.py").write_text("raise SystemExit('the user s')")
    monkeypatch.chdir(folder)
    assert checked("1")["max_error"] == 0


def test_a_library_that_does_not_run(checked: Checked) -> None:
    with pytest.raises(RuntimeError, match=r"does not run \(exit 1\): (.|\n)*could not convert"):
        checked("no number")
