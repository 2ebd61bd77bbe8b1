"""One task's way through a run: candidates, their times, and the record of the best one."""

from __future__ import annotations

import datetime
import importlib.metadata
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tvmlcnn.records import Key, Record, Store, Trial, versions
from tvmlcnn.remote.tvm_runtime import tvm_version
from tvmlcnn.targets import Device

from .comparing import Bench, Failure
from .kernels import RULE, fitting, unscheduled, without_rule
from .measuring import Outcome
from .search import GeneratedSpace, Search, TemplateSpace
from .state import TaskState
from .tasks import Task

BATCH = 8
_THOROUGH = 3  # times as many calls decide about a record
_BETTER = 0.99  # of the best time so far is worth a closer look


class Climb:
    """The search for one task's best kernel.

    Attributes
    ----------
    task : Task
    state : TaskState
        Kept up to date.
    stale : int
        Trials since the last one that was better, those of former runs included.
    """

    def __init__(
        self, task: Task, key: Key, state: TaskState, device: Device, store: Store, bench: Bench
    ) -> None:
        self.task, self.state = task, state
        self.stale = 0
        self._key, self._device, self._store, self._bench = key, device, store, bench
        self._past: list[Trial] = []
        self._search: Search | None = None
        self._tried = 1.0  # the best time so far over the untuned kernel's; seen once
        self._recorded: float | None = None  # and of the record

    def recall(self, trials: Sequence[Trial], record: Record | None) -> None:
        """Take up what former runs measured and recorded for the task's key."""
        best = float("inf")
        for trial in filter(self._is_alike, trials):
            if trial.decisions:
                several = {RULE: trial.rule} if len(self.task.rules) > 1 else {}
                self._past.append(replace(trial, decisions=trial.decisions | several))
                self._count(trial)
                self.stale += 1
            elif trial.microseconds is not None:
                self.state.default_us = trial.microseconds
            if trial.microseconds is not None and trial.microseconds < _BETTER * best:
                self.stale, best = 0, trial.microseconds
        if record is not None and self._is_alike(record) and self.state.default_us is not None:
            self._recorded = 1 / record.gain
            self._tried = min(self._tried, self._recorded)
            if record.decisions:
                self.state.best_us = self._recorded * self.state.default_us

    def _is_alike(self, entry: Trial | Record) -> bool:
        """Return whether an entry was measured where this run measures."""
        return not entry.board or entry.is_emulated == self._bench.emulated

    def begin(self) -> None:
        """Measure the untuned kernel, where no former run did."""
        if self.state.default_us is not None and self._recorded is not None:
            return
        ((_, outcome),) = self._bench.compare(self.task, [{}], None, _THOROUGH)
        if isinstance(outcome, Failure):
            self.state.errors[outcome.kind] += 1
            self.state.done = True
            self._store.add(self._trial({}, outcome))
            return
        untuned = replace(outcome, microseconds=outcome.default_microseconds)
        self.state.default_us = untuned.microseconds
        self._store.add(self._trial({}, untuned), self._record({}, untuned))
        self._recorded = 1.0

    def advance(self, most: int) -> None:
        """Measure a batch of candidates, ``most`` of them at most.

        The best is recorded where it is better than the record.
        """
        search = self._search = self._search or self._begun()
        candidates = search.propose(most)
        if not candidates:
            self.state.done = True
            return
        decisions = [candidate.decisions for candidate in candidates]
        seconds: list[float | None] = [None] * len(candidates)
        best, ratio = None, _BETTER * self._tried
        for number, outcome in self._bench.compare(self.task, decisions, self.state.default_us):
            trial = self._trial(decisions[number], outcome)
            self._store.add(trial)
            self._count(trial)
            if isinstance(outcome, Outcome) and outcome.ratio is not None:
                seconds[number] = outcome.ratio
                if outcome.ratio < ratio:
                    best, ratio = decisions[number], outcome.ratio
        search.learn(candidates, seconds)
        self.stale += len(candidates)
        if best is not None:
            self.stale, self._tried = 0, ratio
            self._look_closer(best)

    def _look_closer(self, decisions: dict[str, Any]) -> None:
        """Measure a kernel with more calls, and record it where that bears its time out."""
        ((_, outcome),) = self._bench.compare(
            self.task, [decisions], self.state.default_us, _THOROUGH
        )
        assert self._recorded is not None
        if isinstance(outcome, Outcome) and (outcome.ratio or 1.0) < self._recorded:
            self._recorded = outcome.ratio
            found = fitting(self.task, self._device, decisions)
            self._store.add(self._record(found, outcome))
            assert self._recorded is not None
            assert self.state.default_us is not None
            self.state.best_us = self._recorded * self.state.default_us

    def _begun(self) -> Search:
        seed = len(self._past)
        space = (
            GeneratedSpace(unscheduled(self.task, self._device))
            if self.task.is_generated
            else TemplateSpace(self.task, self._device, seed)
        )
        search = Search(space, self._device, BATCH, seed)
        usual = self.state.default_us
        assert usual is not None
        search.recall(
            (trial.decisions, None if trial.microseconds is None else trial.microseconds / usual)
            for trial in self._past
        )
        return search

    def _count(self, trial: Trial) -> None:
        self.state.trials += 1
        if trial.error is not None:
            self.state.errors[trial.error] += 1

    def _key_of(self, decisions: dict[str, Any]) -> Key:
        """Return what decisions are recorded under: the rule that has them."""
        rule = decisions.get(RULE, self.task.rule)
        return self._key._replace(rule=rule, version=versions()[rule])

    def _trial(self, decisions: dict[str, Any], outcome: Outcome | Failure) -> Trial:
        usual = self.state.default_us
        microseconds = None
        if isinstance(outcome, Outcome):
            assert outcome.ratio is not None
            microseconds = outcome.ratio * (usual or outcome.default_microseconds)
        return Trial(
            **self._key_of(decisions)._asdict(),
            decisions=without_rule(decisions),
            microseconds=microseconds,
            error=outcome.kind if isinstance(outcome, Failure) else None,
            detail=outcome.detail if isinstance(outcome, Failure) else "",
            board=outcome.board if isinstance(outcome, Outcome) else "",
            date=_now(),
        )

    def _record(self, decisions: dict[str, Any], outcome: Outcome) -> Record:
        assert outcome.microseconds is not None
        return Record(
            **self._key_of(decisions)._asdict(),
            decisions=without_rule(decisions),
            microseconds=outcome.microseconds,
            default_microseconds=outcome.default_microseconds,
            board=outcome.board,
            trials=self.state.trials,
            tvm=tvm_version(),
            tvmlcnn=importlib.metadata.version("tvmlcnn"),
            date=_now(),
        )


def _now() -> str:
    return datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds")
