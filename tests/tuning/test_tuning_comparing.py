"""A candidate that is wrong, crashes, hangs or cannot be built costs itself, and nothing else."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import faults
import numpy as np
import pytest
import torch
import tuned
from lab import Lab
from torch import nn

import tvmlcnn
from tvmlcnn import remote
from tvmlcnn.remote import fleet as fleet_module
from tvmlcnn.tuning import building, comparing, measuring
from tvmlcnn.tuning.building import Builder
from tvmlcnn.tuning.comparing import Bench, Failure
from tvmlcnn.tuning.kernels import Fixed, Kernel, scheduled
from tvmlcnn.tuning.measuring import Outcome, _Tensors, error_of
from tvmlcnn.tuning.tasks import Task

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with tuned.bench_here() as bench:
        yield bench


@pytest.fixture(scope="module")
def relu() -> Task:
    return tuned.task_of(nn.ReLU(), (1, 64), "default")


@pytest.fixture
def by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let decisions name one of the faulty kernels."""

    def made(task: Task, device: Any, policy: Any = None) -> Kernel:
        kernel = scheduled(task, device)
        if not isinstance(policy, Fixed):
            return kernel
        name = policy.chosen.values["name"]
        if name == "no kernel":
            raise ValueError("cannot\n  be scheduled")
        return replace(kernel, function=getattr(faults, name))

    monkeypatch.setattr(comparing, "scheduled", made)
    monkeypatch.setattr(measuring, "_START", 4.0)
    monkeypatch.setattr(measuring, "_SLOWER", 2)


@pytest.mark.usefixtures("by_name")
def test_bad_candidates_cost_one_trial_each(bench: Bench, relu: Task) -> None:
    names = ["right", "wrong", "crash", "right", "hang", "unfinished", "no kernel", "refuse"]
    found = dict(bench.compare(relu, [{"name": name} for name in names], 1.0))
    assert sorted(found) == list(range(len(names)))
    kinds = [f.kind if isinstance(f, Failure) else "measured" for f in found.values()]
    assert dict(zip((names[number] for number in found), kinds, strict=True)) == {
        "right": "measured",
        "wrong": "wrong result",
        "crash": "crash",
        "hang": "timeout",
        "unfinished": "wrong result",
        "no kernel": "build",
        "refuse": "crash",
    }
    assert found[6] == Failure("build", "be scheduled")
    for number in (0, 3):
        outcome = found[number]
        assert isinstance(outcome, Outcome)
        assert outcome.microseconds is not None
        assert outcome.microseconds > 0
        assert outcome.default_microseconds > 0
        assert outcome.error == 0
    crashed = found[2]
    assert isinstance(crashed, Failure)
    assert "SIGSEGV" in crashed.detail


def test_a_compiler_that_hangs_or_crashes_costs_one_build(monkeypatch: pytest.MonkeyPatch) -> None:
    right, wrong = (Kernel(each, [], [], []) for each in (faults.right, faults.wrong))
    with Builder(tuned.DEVICE) as builder:
        assert [path.stat().st_size > 0 for path in builder.build([right], 0)] == [True]
        for fault, limit, message in (
            (faults.compiler_hangs, 3.0, "took more than 3 s"),
            (faults.compiler_crashes, 60.0, "the compiler crashed"),
        ):
            with monkeypatch.context() as patch:
                patch.setattr(building, "_build", fault)
                patch.setattr(building, "_SECONDS", limit)
                with pytest.raises(RuntimeError, match=message):
                    builder.build([right], 0)
            assert all(path.stat().st_size > 0 for path in builder.build([right, wrong], 0))
        folder = builder.folder
    assert not folder.exists()


@pytest.mark.usefixtures("by_name")
def test_a_mistake_of_the_user_s_ends_the_run(
    bench: Bench, relu: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No linker, say: it would fail each candidate in turn."""

    def build(*_: object) -> None:
        raise tvmlcnn.UserError("no linker")

    with monkeypatch.context() as patch:
        patch.setattr(Builder, "build", build)
        with pytest.raises(tvmlcnn.UserError, match="no linker"):
            list(bench.compare(relu, [{"name": "right"}], 1.0))


@pytest.mark.usefixtures("by_name")
def test_without_a_board_the_run_ends(
    lab: Lab, relu: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSE", 0.1)
    board = lab.board()
    with remote.boards(board.address) as fleet, Builder(tuned.DEVICE) as builder:
        bench = Bench(tuned.DEVICE, fleet, builder)
        ((_, outcome),) = bench.compare(relu, [{"name": "right"}], 1.0)
        assert isinstance(outcome, Outcome)
        board.end(signal.SIGKILL)
        for _ in range(2):  # and does not go on with nothing
            with pytest.raises(remote.BoardLost, match=r"no board is left: .*does not answer"):
                list(bench.compare(relu, [{"name": "right"}] * 3, 1.0))


class Roots(nn.Module):
    """Of numbers that at random may be negative, and a result of whole numbers."""

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.log(x), x.argmax(1)


def test_values_that_are_no_numbers_or_whole_ones(bench: Bench) -> None:
    for task in tuned.tasks_of(Roots(), (4, 32)):
        ((_, outcome),) = bench.compare(task, [{}], None)
        assert isinstance(outcome, Outcome), outcome
        assert outcome.ratio is not None


def test_error() -> None:
    x = np.array([1.0, np.nan, -3.0, np.inf])
    assert error_of([x], [x]) == 0
    assert error_of([x + 0.4], [x]) == pytest.approx(0.1)
    assert error_of([np.array([1.0, 2.0, -3.0, np.inf])], [x]) == np.inf
    assert error_of([np.array([1.0, np.nan, np.nan, np.inf])], [x]) == np.inf
    assert error_of([np.array([1.0, np.nan, -3.0, 7.0])], [x]) == np.inf
    assert error_of([np.array([], np.float32)], [np.array([], np.float32)]) == 0
    assert error_of([np.array([3, 4])], [np.array([3, 3])]) == pytest.approx(1 / 3)


def test_equal_bytes_of_another_type_are_another_tensor() -> None:
    class Session:
        tensor = staticmethod(lambda array: array)

    tensors = _Tensors(Session())  # type: ignore[arg-type]
    zeros = np.zeros(3, np.float32)
    assert tensors.of(zeros) is tensors.of(zeros.copy())
    assert tensors.of(zeros.astype(np.int32)).dtype == np.int32
    assert tensors.of(zeros.reshape(3, 1)).shape == (3, 1)
