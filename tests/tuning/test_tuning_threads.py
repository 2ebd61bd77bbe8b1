"""Kernels are tuned and compiled for a number of threads, and records are for that one only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import tuned
from conftest import Cli

from tvmlcnn.package.features import required_features
from tvmlcnn.records import VERSIONS, Library, Record, Store
from tvmlcnn.schedules.recorded import Recorded
from tvmlcnn.targets import records_name, resolve
from tvmlcnn.tuning import tune
from tvmlcnn.tuning.tasks import Task

NET = """
from torch import nn
def net():
    return nn.Sequential(
        nn.Conv2d(16, 16, 3, 1, 1, groups=16), nn.MaxPool2d(2), nn.Conv2d(16, 48, 1)
    )
"""
SHAPE = (1, 16, 12, 12)
KERNELS = 4  # with the changes of layout at both ends
TARGET = records_name(tuned.DEVICE)


def record(task: Task, threads: int, decisions: dict[str, Any], **changes: Any) -> Record:
    values: dict[str, Any] = {
        "workload": task.workload,
        "target": TARGET,
        "rule": task.rule,
        "version": VERSIONS[task.rule],
        "threads": threads,
        "decisions": decisions,
        "microseconds": 2.0,
        "default_microseconds": 3.0 if decisions else 2.0,
        "board": "a",
        "trials": 1,
        "tvm": "0",
        "tvmlcnn": "0",
        "date": "2026",
    }
    return Record(**(values | changes))


@pytest.fixture
def net(tmp_path: Path) -> Path:
    path = tmp_path / "net.py"
    path.write_text(NET)
    return path


@pytest.fixture(scope="module")
def tasks() -> dict[str, Task]:
    """The convolutions of the network, by their rules."""
    space: dict[str, Any] = {}
    exec(NET, space)
    return {task.rule: task for task in tuned.tasks_of(space["net"](), SHAPE)}


def test_compile_takes_the_records_for_its_threads(
    cli: Cli, net: Path, tasks: dict[str, Task], tmp_path: Path
) -> None:
    """And tells those that are of use from those that say that the default is best."""
    store = Store(tmp_path / "records")
    store.add(record(tasks["depthwise"], 1, {"unroll": False}), record(tasks["dense"], 1, {}))
    arguments = [f"{net}:net", "--target", "native", "--input-shape", "1x16x12x12", "-o", "a.so"]
    arguments += ["--no-check", "--records", store.folder]
    one = cli("compile", *arguments, "--threads", 1)
    assert one.code == 0, one.err
    facts = dict(line.split(maxsplit=1) for line in one.out.splitlines() if line[:1].strip())
    assert facts["records"] == f"1 tuned, 1 default, of {KERNELS} kernels"
    assert "warning" not in one.err
    assert facts["records"] in cli("inspect", "a.so").out
    decided = cli("inspect", "a.so", "--json").json["records"]
    assert decided == {"tuned": 1, "default": 1, "of": KERNELS}

    three = cli("compile", *arguments, "--threads", 3, "--json")
    assert three.json["records"] == {"tuned": 0, "default": 0, "of": KERNELS}
    (warning,) = three.json["warnings"]
    assert warning == (
        f"your records of {TARGET} for these kernels are for 1 thread; "
        "compile with threads=1 to use them"
    )
    assert f"warning: {warning}\n" in three.err


def policy(folder: Path, threads: int, *tasks: Task) -> Recorded:
    """Return the policy after it decided something about tasks."""
    asked = Recorded(Library.of(folder), TARGET, threads)
    for task in tasks:
        asked.of(task.rule, task.workload, task.element).choose("unroll", [True, False])
    return asked


def test_records_for_other_threads_are_told_where_there_are_none_for_these(
    tasks: dict[str, Task], tmp_path: Path
) -> None:
    dense, depthwise = tasks["dense"], tasks["depthwise"]
    store = Store(tmp_path)
    store.add(record(dense, 2, {"unroll": False}), record(dense, 1, {"unroll": False}))
    (warning,) = policy(tmp_path, 4, dense, depthwise).warnings
    assert warning == (
        f"your records of {TARGET} for these kernels are for 1 or 2 threads; "
        "compile with threads=1 or 2 to use them"
    )
    assert policy(tmp_path, 4, depthwise).warnings == []
    assert policy(tmp_path, 1, dense).warnings == []
    # They are not stale, but for others.
    assert policy(tmp_path, 4, dense).found == set()
    store.add(record(depthwise, 4, {}))
    assert policy(tmp_path, 4, dense, depthwise).warnings == []
    assert policy(tmp_path, 4, dense, depthwise).default == {depthwise.workload}


def test_a_rule_without_a_version(
    tasks: dict[str, Task], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its records are stale, whatever version they say."""
    dense = tasks["dense"]
    others = {rule: its for rule, its in VERSIONS.items() if rule != "dense"}
    for version in (0, VERSIONS["dense"]):
        folder = tmp_path / str(version)
        Store(folder).add(record(dense, 1, {"unroll": False}, version=version))
        with monkeypatch.context() as patch:
            patch.setattr("tvmlcnn.schedules.recorded.versions", lambda: others)
            asked = policy(folder, 1, dense)
        assert asked.found == set()


class Pi:
    """A board of which only two cores are free."""

    name = "pi"

    def facts(self) -> dict[str, Any]:
        device = resolve("rpi4")
        features = required_features(device.tvm, device.machine)
        return {"machine": "aarch64", "features": features, "cores": 2, "emulated": False}


@contextmanager
def pis(*_: object) -> Iterator[list[Pi]]:
    yield [Pi()]


@pytest.mark.parametrize(("threads", "cores"), [(None, 2), (1, 1)])
def test_kernels_are_made_for_the_threads_that_they_are_measured_with(
    threads: int | None, cores: int, net: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever the target has; and so many cores' share of it is the most that they can reach."""
    monkeypatch.setattr(tune, "boards", pis)
    models, whole = [f"{net}:net"], resolve("rpi4")
    with tune.prepare(
        models, "rpi4", input_shape=SHAPE, threads=threads, device="pi", records=tmp_path
    ) as run:
        assert run.state.threads == run._device.cores == run._device.tvm["num-cores"] == cores
        assert {key.threads for key in run._keys} == {cores}
        assert whole.peak_gflops is not None
        assert whole.bandwidth_gbs is not None
        for task, state in zip(run._tasks, run.state.tasks, strict=True):
            seconds = task.flops / (whole.peak_gflops * cores / whole.cores) / 1e9
            least = max(seconds, task.bytes / whole.bandwidth_gbs / 1e9)
            assert state.roofline_us == pytest.approx(least * 1e6)


def test_a_rule_without_a_version_is_not_tuned(
    net: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tune, "boards", pis)
    monkeypatch.setattr("tvmlcnn.tuning.tuner.versions", lambda: {"dense": 1, "default": 1})
    preparing = tune.prepare([f"{net}:net"], "rpi4", input_shape=SHAPE, device="pi")
    with pytest.raises(RuntimeError, match="the rule 'depthwise' has no version"), preparing:
        pass
