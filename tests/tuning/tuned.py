"""Tuning in this process, for tests: the tasks of a module, a bench, and the command itself."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from conftest import ROOT

from tvmlcnn import frontend, remote
from tvmlcnn.targets import Device, resolve
from tvmlcnn.tuning.building import Builder
from tvmlcnn.tuning.comparing import Bench
from tvmlcnn.tuning.tasks import Task, extract

DEVICE = resolve("native").with_cores(1)


def tasks_of(module: torch.nn.Module, shape: Sequence[int], device: Device = DEVICE) -> list[Task]:
    """Return the kernels of a module."""
    graph = frontend.import_graph(module.eval(), frontend.random_inputs([tuple(shape)])).mod
    found: dict[str, Task] = {}
    extract("net", graph, device, found)
    return list(found.values())


def task_of(module: torch.nn.Module, shape: Sequence[int], rule: str = "dense") -> Task:
    """Return the only kernel of a rule."""
    (task,) = (task for task in tasks_of(module, shape) if task.rule == rule)
    return task


@contextmanager
def bench_here() -> Iterator[Bench]:
    with remote.boards() as fleet, Builder(DEVICE) as builder:
        yield Bench(DEVICE, fleet, builder)


NETS = f"""
import sys
sys.path.insert(0, {str(ROOT / "tests")!r})
import torch
from conftest import SmallNet, randomized

torch.manual_seed(0)

def net():
    return randomized(SmallNet())

def other():
    return randomized(SmallNet(7))

def tiny():
    return torch.nn.Sequential(
        torch.nn.Conv2d(8, 16, 1), torch.nn.ReLU(), torch.nn.Conv2d(16, 16, 3, 1, 1, groups=16)
    )
"""


def write_nets(folder: Path) -> Path:
    """Write a file of models: ``net`` and ``other`` share all but the classifier."""
    path = folder / "nets.py"
    path.write_text(NETS)
    return path


def tune_command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "tvmlcnn", "tune", *map(str, arguments)]


def lines(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return what a file of records or trials holds, of all targets."""
    found = []
    for path in folder.glob(f"*/{name}.jsonl"):
        found += [json.loads(line) for line in path.read_text().splitlines()]
    return found


def candidates(folder: Path) -> list[str]:
    """Return the trials of candidates, each as a text of what was tried."""
    return [
        json.dumps([trial["workload"], trial["decisions"]], sort_keys=True)
        for trial in lines(folder, "trials")
        if trial["decisions"]
    ]


def counts(folder: Path) -> dict[str, int]:
    """Return what `compile` is to say of the records, where each kernel has one."""
    found = lines(folder, "records")
    kernels = {record["workload"] for record in found}
    better = {record["workload"] for record in found if record["decisions"]}
    return {"tuned": len(better), "default": len(kernels - better), "of": len(kernels)}


def untuned(folder: Path) -> list[str]:
    """Return the workloads of the trials of untuned kernels."""
    return [trial["workload"] for trial in lines(folder, "trials") if not trial["decisions"]]
