"""Kernels that no rule takes: a generated schedule is found, recorded, and compiled."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import odd_net
import pytest
import torch
import tuned
from conftest import Cli
from networks import relative_error
from odd_net import seeded

import tvmlcnn
from tvmlcnn.records import VERSIONS, Library, Record, Store
from tvmlcnn.schedules.recorded import Recorded
from tvmlcnn.targets import records_name, resolve
from tvmlcnn.tuning.kernels import unscheduled
from tvmlcnn.tuning.measuring import Outcome
from tvmlcnn.tuning.search import GeneratedSpace, Search

pytestmark = pytest.mark.long

TARGET = records_name(tuned.DEVICE)
SERVER = {"kind": "llvm", "mcpu": "cascadelake"}


# Compiling with a generated schedule takes no tuner.
_COMPILE = """
import json, sys
import tvmlcnn, tvmlcnn.compiler
model, path, records = sys.argv[1:]
report = tvmlcnn.compile(model, "native", (1, 8, 32), output=path, threads=1, records=records)
heavy = ("xgboost", "tvmlcnn.tuning")
print(json.dumps([report.records, report.warnings, [m for m in heavy if m in sys.modules]]))
"""


def test_traces_that_were_measured_are_compiled(tmp_path: Path) -> None:
    net = seeded()
    applied = 0
    with tuned.bench_here() as bench:
        for task in tuned.tasks_of(net, (1, 8, 32)):
            space = GeneratedSpace(unscheduled(task, tuned.DEVICE))
            search = Search(space, tuned.DEVICE, 8, 0)
            decisions = [candidate.decisions for candidate in search.propose(4)]
            assert decisions == json.loads(json.dumps(decisions))
            outcomes = dict(bench.compare(task, decisions, None))
            right = [number for number, found in outcomes.items() if isinstance(found, Outcome)]
            assert right, outcomes
            Store(tmp_path).add(
                Record(
                    workload=task.workload,
                    target=TARGET,
                    rule="default",
                    version=VERSIONS["default"],
                    decisions=decisions[right[0]],
                    microseconds=1.0,
                    default_microseconds=2.0,
                    threads=1,
                    board="a",
                    trials=4,
                    tvm="0",
                    tvmlcnn="0",
                    date="2026-11-22T00:00:00+00:00",
                )
            )
            applied += 1
    assert applied >= 2
    policy = Recorded(Library.of(tmp_path), TARGET, 1)
    error, _ = relative_error(net, (1, 8, 32), tuned.DEVICE, policy)
    assert error < 1e-5
    assert len(policy.found) == applied


@pytest.mark.parametrize("target", ["rpi2", "rpi4", "rpi5", SERVER])
def test_other_processors_have_a_generated_space(target: str | dict[str, str]) -> None:
    device = resolve(target)
    (task,) = tuned.tasks_of(odd_net.Product(), (4, 32), device)
    search = Search(GeneratedSpace(unscheduled(task, device)), device, 4, 0)
    assert len(search.propose(4)) == 4


def test_auto_space_of_the_command(cli: Cli, tmp_path: Path) -> None:
    source, records, path = f"{odd_net.__file__}:seeded", tmp_path / "records", tmp_path / "odd.so"
    arguments = ["--input-shape", "1x8x32", "--threads", 1, "--records", records]
    done = cli("tune", source, *arguments, "--space", "auto", "--trials", 12, "--json")
    assert done.code == 0, done.err
    state = done.json
    assert {kernel["rule"] for kernel in state["kernels"]} == {"default"}
    assert all(kernel["gain"] >= 1 for kernel in state["kernels"])
    traces = [trial["decisions"]["trace"] for trial in tuned.lines(records, "trials")[-12:]]
    assert len(traces) == 12

    command = [sys.executable, "-c", _COMPILE, source, str(path), str(records)]
    output = subprocess.check_output(command, text=True, cwd=tmp_path)
    decided, warnings, heavy = json.loads(output.splitlines()[-1])
    assert decided == tuned.counts(records)
    assert decided["of"] == len(state["kernels"])
    assert warnings == []
    assert heavy == []
    x = np.random.default_rng(0).standard_normal((1, 8, 32), np.float32)
    with torch.no_grad():
        expected = seeded()(torch.from_numpy(x)).numpy()
    assert np.abs(tvmlcnn.load(path)(x) - expected).max() < 1e-5


def test_a_trace_of_something_else_is_stale(tmp_path: Path) -> None:
    (task,) = tuned.tasks_of(odd_net.Product(), (4, 32))
    trace = [[["GetSBlock", [], ["no such block", "main"], ["b0"]]], []]
    entry = Record(
        task.workload, TARGET, "default", VERSIONS["default"], 1, {"trace": trace},
        1.0, 2.0, "a", 1, "0", "0", "2026-11-22T00:00:00+00:00",
    )  # fmt: skip
    Store(tmp_path).add(entry)
    policy = Recorded(Library.of(tmp_path), TARGET, 1)
    error, _ = relative_error(odd_net.Product(), (4, 32), tuned.DEVICE, policy)
    assert error < 1e-5
    assert policy.found == set()
    assert len(policy.warnings) == 1
