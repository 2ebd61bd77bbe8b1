"""What is sampled is what is compiled: decisions of each rule, in the tuner and in `compile`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import tuned
import tvm
from conftest import randomized
from networks import relative_error
from torch import nn

import tvmlcnn
from tvmlcnn.records import VERSIONS, Library, Record, Store
from tvmlcnn.schedules.recorded import Recorded
from tvmlcnn.targets import records_name
from tvmlcnn.tuning.kernels import RULE, Fixed, Kernel, fitting, scheduled
from tvmlcnn.tuning.measuring import error_of
from tvmlcnn.tuning.search import Search, TemplateSpace
from tvmlcnn.tuning.tasks import Task

TARGET = records_name(tuned.DEVICE)
SAMPLES = 6


def conv(inner: int, outer: int, size: int = 1, stride: int = 1, groups: int = 1) -> nn.Conv2d:
    return nn.Conv2d(inner, outer, size, stride, size // 2, groups=groups)


class Joined(nn.Module):
    """A convolution of the channels of two others."""

    def __init__(self, first: int, second: int, *last: nn.Module) -> None:
        super().__init__()
        self.a, self.b = conv(16, first), conv(16, second, 3)
        self.last = nn.Sequential(*last)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(torch.cat([self.a(x), self.b(x)], 1))


class Grown(Joined):
    """A convolution of what another one reads and of its result, as in DenseNet."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.a(x)
        return self.last(torch.cat([x, self.b(x)], 1))


class Unit(nn.Module):
    """Half of the channels stay as they are, as in ShuffleNet."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(conv(16, 16), nn.ReLU())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        kept, taken = x.chunk(2, 1)
        return nn.functional.channel_shuffle(torch.cat([kept, self.layers(taken)], 1), 2)


NETS: dict[str, tuple[nn.Module, tuple[int, ...], str]] = {
    "pointwise": (nn.Sequential(conv(24, 48), nn.ReLU6()), (1, 24, 9, 7), "1x1x24x48"),
    "3x3": (conv(12, 48, 3, 2), (1, 12, 15, 15), "3x3x12x48"),
    "first": (conv(3, 16, 3, 2), (1, 3, 16, 16), "nchw"),
    "matmul": (nn.Linear(64, 96), (1, 64), "matmul"),
    "prologue": (
        Grown(16, 8, nn.BatchNorm2d(24), nn.ReLU(), conv(24, 32)),
        (1, 16, 9, 7),
        "prologue",
    ),
    "planes": (Joined(16, 16, conv(32, 24, 3)), (1, 16, 9, 7), "planes"),
    "table": (nn.Sequential(Unit(), Unit()), (1, 32, 6, 6), "table"),
    "winograd": (conv(32, 32, 3), (1, 32, 28, 28), "3x3x32x32"),
    "depthwise": (conv(48, 48, 3, groups=48), (1, 48, 14, 14), "3x3x1x48"),
    "depthwise 5x5": (conv(96, 96, 5, 2, groups=96), (1, 96, 14, 14), "5x5x1x96"),
    "grouped": (conv(60, 120, groups=3), (1, 60, 9, 7), "groups 3"),
    "grouped 3x3": (conv(64, 64, 3, groups=2), (1, 64, 9, 7), "groups 2"),
    "diagonals": (conv(64, 64, 3, groups=16), (1, 64, 9, 7), "groups 16"),
}


def wanted(name: str) -> Task:
    net, shape, text = NETS[name]
    (task, *_) = (t for t in tuned.tasks_of(randomized(net), shape) if text in t.workload)
    assert task.rule != "default"
    return task


def sampled(task: Task, count: int) -> list[dict[str, Any]]:
    search = Search(TemplateSpace(task, tuned.DEVICE, 1), tuned.DEVICE, 8, 1)
    return [candidate.decisions for candidate in search.propose(count)]


def computed(kernel: Kernel) -> list[np.ndarray]:
    function = kernel.function.with_attr("global_symbol", "main")
    library = tvm.compile(tvm.IRModule({"main": function}), tvm.target.Target(tuned.DEVICE.tvm))
    room = [tvm.runtime.tensor(np.full(shape, np.nan, dtype)) for shape, dtype in kernel.results]
    library["main"](*map(tvm.runtime.tensor, kernel.arguments), *room)
    return [tensor.numpy() for tensor in room]


def record(task: Task, decisions: dict[str, Any]) -> Record:
    """Return a record of decisions, of the rule among them where several can make the kernel."""
    rule = decisions.get(RULE, task.rule)
    return Record(
        workload=task.workload,
        target=TARGET,
        rule=rule,
        version=VERSIONS[rule],
        decisions={name: value for name, value in decisions.items() if name != RULE},
        microseconds=1.0,
        default_microseconds=2.0,
        threads=1,
        board="a",
        trials=1,
        tvm="0",
        tvmlcnn="0",
        date="2026-11-22T00:00:00+00:00",
    )


@pytest.mark.long
@pytest.mark.parametrize("name", NETS)
def test_each_sample_computes_what_the_untuned_kernel_does(name: str) -> None:
    task = wanted(name)
    expected = computed(scheduled(task, tuned.DEVICE))
    samples = sampled(task, SAMPLES)
    assert len(samples) == SAMPLES
    for decisions in samples:
        kernel = scheduled(task, tuned.DEVICE, Fixed(decisions))
        assert error_of(computed(kernel), expected) < 1e-5, decisions


@pytest.mark.long
@pytest.mark.parametrize("name", NETS)
def test_a_record_gives_the_kernel_that_was_measured(name: str, tmp_path: Path) -> None:
    """Through JSON, a store and the whole pipeline; no decision of it is stale."""
    net, shape, _ = NETS[name]
    task = wanted(name)
    for number, decisions in enumerate(sampled(task, SAMPLES)):
        measured = scheduled(task, tuned.DEVICE, Fixed(decisions)).function
        recorded = json.loads(json.dumps(fitting(task, tuned.DEVICE, decisions)))
        again = scheduled(task, tuned.DEVICE, Fixed(recorded)).function
        tvm.ir.assert_structural_equal(measured, again)
        if number:  # the way through a store and the compiler is the same for all
            continue
        Store(tmp_path).add(record(task, recorded))
        policy = Recorded(Library.of(tmp_path), TARGET, 1)
        error, _ = relative_error(randomized(net), shape, tuned.DEVICE, policy)
        assert error < 2e-5
        assert policy.found == {task.workload}
        assert policy.warnings == []


def test_both_algorithms_of_a_3x3_convolution_are_sampled() -> None:
    rules = {decisions[RULE] for decisions in sampled(wanted("winograd"), 64)}
    assert rules == {"winograd", "dense"}


def test_both_algorithms_of_a_pointwise_convolution_are_sampled() -> None:
    rules = {decisions[RULE] for decisions in sampled(wanted("pointwise"), 64)}
    assert rules == {"strassen", "dense"}


def test_options_that_depend_on_another_decision_are_not_recorded_where_they_do_not_fit() -> None:
    task = wanted("depthwise")
    options = TemplateSpace(task, tuned.DEVICE, 0).options[0]
    every = [
        {"tile": tile, "strip": strip} for tile in options["tile"] for strip in options["strip"]
    ]
    kept = [fitting(task, tuned.DEVICE, decisions) for decisions in every]
    assert any("strip" not in decisions for decisions in kept), "all fit: test another rule"
    assert all("tile" in decisions for decisions in kept)
    assert any("strip" in decisions for decisions in kept)


@pytest.mark.long
@pytest.mark.parametrize("changes", [{"tile": [999, 1, 8]}, {"tile": "gone"}, {"near": -7}])
def test_an_option_that_is_gone_is_stale(changes: dict[str, Any], tmp_path: Path) -> None:
    net, shape, _ = NETS["pointwise"]
    task = wanted("pointwise")
    decisions = next(each for each in sampled(task, 16) if each[RULE] == "dense")
    Store(tmp_path / "records").add(record(task, decisions | changes))
    report = tvmlcnn.compile(
        randomized(net),
        "native",
        shape,
        output=tmp_path / "net.so",
        threads=1,
        records=tmp_path / "records",
    )
    assert report.records["tuned"] == report.records["default"] == 0
    (warning,) = report.warnings
    assert warning.startswith("stale records of 1 kernels were left out")


@pytest.mark.long
def test_a_search_does_not_repeat_itself_and_ends() -> None:
    """Nor what a former run measured; a small space is exhausted."""
    task = wanted("diagonals")
    space = TemplateSpace(task, tuned.DEVICE, 0)
    search = Search(space, tuned.DEVICE, 8, 0)
    seen: list[str] = []
    past = sampled(task, 8)
    search.recall((decisions, 1.0 + n) for n, decisions in enumerate(past))
    while found := search.propose(8):
        seen += [json.dumps(candidate.decisions, sort_keys=True) for candidate in found]
        search.learn(found, [float(len(seen)) for _ in found])
    former = {json.dumps(decisions, sort_keys=True) for decisions in past}
    everything = sum(int(np.prod([len(v) for v in o.values()])) for o in space.options)
    assert len(seen) == len(set(seen))
    assert not former & set(seen)
    assert len(seen) + len(former) >= 0.8 * everything
