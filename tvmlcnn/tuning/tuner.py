"""A tuning run: which kernel is tried next, until when, and where it stands."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

import tvm

from tvmlcnn.errors import UserError
from tvmlcnn.precision import element_for
from tvmlcnn.records import Key, Record, Store, Trial, user_folder, versions
from tvmlcnn.records.store import best as best_of
from tvmlcnn.remote import Fleet
from tvmlcnn.runtime.limits import Limits
from tvmlcnn.targets import FLOAT32, Device, records_name

from .building import Builder
from .climb import BATCH, Climb
from .comparing import Bench
from .measuring import Outcome
from .state import DONE, WORKING, RunState, TaskState
from .tasks import Task, extract

SPACES = {"template": False, "auto": True}
"""Whether a space is for the kernels that no rule claims."""

# Share of the time that a kernel which has come near the roofline may still gain.
_LITTLE = 0.02


@dataclass(frozen=True)
class Goal:
    """What a run is to do.

    Attributes
    ----------
    space : str
        ``"template"``, ``"auto"`` or ``"both"``.
    trials : int or None
        Candidates in all, those of former runs included.
    minutes : float or None
        That the run may take.
    early_stop : int or None
        A kernel is done after so many candidates without a better one.
    pattern : str
        Only kernels whose workload or a layer matches, as file names do.
    threads : int
        Of a call; the device that kernels are made for has as many cores.
    dtype : str
        What the networks are computed in.
    """

    space: str = "both"
    trials: int | None = None
    minutes: float | None = None
    early_stop: int | None = 64
    pattern: str = "*"
    threads: int = 1
    dtype: str = FLOAT32.name


def tasks_of(
    networks: Mapping[str, tvm.IRModule], device: Device, goal: Goal
) -> tuple[list[Task], list[Task]]:
    """Return the kernels of imported networks that a goal tunes, and those that have no choice.

    Each kernel once. The latter are a part of a network's latency, where all of it is tuned.

    Raises
    ------
    UserError
        If there are none.
    """
    found: dict[str, Task] = {}
    for name, mod in networks.items():
        extract(name, mod, device, found, element_for(goal.dtype, device))
    wanted = [
        task
        for task in found.values()
        if task.rule
        if goal.space == "both" or SPACES[goal.space] == task.is_generated
        if any(fnmatch(text, goal.pattern) for text in (task.workload, *task.layers))
    ]
    if not wanted:
        known = ", ".join(task.layers[0] for task in found.values() if task.layers and task.rule)
        raise UserError(
            f"no kernel of the space {goal.space!r} matches {goal.pattern!r}; "
            f"the layers are {known}",
            parameters=("space", "pattern"),
        )
    fixed = [task for task in found.values() if not task.rule and goal.pattern == "*"]
    return wanted, fixed


class Run:
    """Tunes tasks on boards.

    Attributes
    ----------
    state : RunState
        Kept up to date; ``refresh`` is called when it changed.
    store : Store
        Where records and trials go, each as soon as it is known.
    """

    def __init__(
        self,
        tasks: Sequence[Task],
        fixed: Sequence[Task],
        device: Device,
        goal: Goal,
        fleet: Fleet,
        folder: Path | None = None,
        limits: Limits | None = None,
    ) -> None:
        self.store = Store(folder or user_folder())
        self._goal, self._device, self._fleet = goal, device, fleet
        target = records_name(device)
        self.state = RunState(
            target,
            goal.threads,
            {board.name: WORKING for board in fleet},
            any(board.facts()["emulated"] for board in fleet),
            [_state(task, limits) for task in tasks],
            {name: 0.0 for task in tasks for name in task.calls},
            goal.trials,
            None if goal.minutes is None else goal.minutes * 60,
        )
        self._tasks, self._fixed, self._target = tasks, fixed, target
        self._keys = [_key(task, target, goal.threads) for task in tasks]

    @property
    def command(self) -> str:
        """The command that takes the records, in backticks as in the messages of the library."""
        if self._device.gpu_code:
            return f"`tvmlcnn compile --target {self._device.name}`"
        return f"`tvmlcnn compile --threads {self._goal.threads}`"

    def __call__(self, refresh: Callable[[], None]) -> None:
        """Measure each untuned kernel, then candidates where the expected gain is largest.

        Raises
        ------
        BoardLost
            If no board is left.
        UserError
            If records cannot be written.
        """
        current = versions()
        trials: dict[Key, list[Trial]] = {}
        for trial in self.store.trials(self._target).entries:
            if not trial.is_stale(current):
                trials.setdefault(_kernel(trial.key), []).append(trial)
        records: dict[Key, Record] = {}
        for key, record in best_of(self.store.records(self._target).entries).items():
            former = records.get(_kernel(key))
            if not record.is_stale(current) and (not former or former.gain < record.gain):
                records[_kernel(key)] = record
        with Builder(self._device) as builder:
            bench = Bench(self._device, self._fleet, builder)
            climbs = []
            for task, key, state in zip(self._tasks, self._keys, self.state.tasks, strict=True):
                climb = Climb(task, key, state, self._device, self.store, bench)
                climb.recall(trials.get(_kernel(key), []), records.get(_kernel(key)))
                climbs.append(climb)
            self.state.resumed = self.state.trials
            try:
                self._measure_fixed(bench)
                self._tune(climbs, lambda: self._refresh(refresh))
            finally:
                self._tell_boards()

    def _measure_fixed(self, bench: Bench) -> None:
        """Add the kernels that have no choice to what each network takes in any case."""
        self.state.phase = "measuring kernels without a choice"
        for task in self._fixed:
            for _, outcome in bench.compare(task, [{}], None):
                if isinstance(outcome, Outcome):
                    for name, calls in task.calls.items():
                        self.state.rest_us[name] += calls * outcome.default_microseconds

    def _tune(self, climbs: Sequence[Climb], refresh: Callable[[], None]) -> None:
        self.state.phase = "measuring untuned kernels"
        for climb in climbs:
            if not self._is_late():
                climb.begin()
                refresh()
        self.state.phase = "searching"
        while not self._is_late() and (left := self._left()):
            best = self._next(climbs)
            if best is None:
                break
            best.advance(left)
            refresh()
        self.state.phase = DONE
        refresh()

    def _refresh(self, refresh: Callable[[], None]) -> None:
        self._tell_boards()
        refresh()

    def _tell_boards(self) -> None:
        self.state.boards = {board.name: WORKING for board in self._fleet}
        self.state.boards |= {name: f"set aside: {w}" for name, w in self._fleet.lost.items()}

    def _is_late(self) -> bool:
        state = self.state
        return state.seconds is not None and state.elapsed(time.monotonic()) >= state.seconds

    def _left(self) -> int:
        """Return how many candidates of a batch may still be tried."""
        if self.state.budget is None:
            return BATCH
        return max(0, min(BATCH, self.state.budget - self.state.trials))

    def _next(self, climbs: Sequence[Climb]) -> Climb | None:
        """Return the task of the largest expected gain.

        That is its share of each network's time, times what it may still gain: the distance to
        the roofline, less the more often it was tried in vain.
        """
        stop = self._goal.early_stop
        for climb in climbs:
            climb.state.done |= stop is not None and climb.stale >= stop
        waiting = [climb for climb in climbs if not climb.state.done]
        latencies = {name: self.state.latency(name) for name in self.state.models}

        def gain(climb: Climb) -> float:
            state = climb.state
            assert state.tuned_us is not None
            share = sum(
                calls * state.tuned_us / latency.tuned_us if (latency := latencies[name]) else 0.0
                for name, calls in state.calls.items()
            )
            room = max(_LITTLE, 1.0 - (state.roofline or 0.5))
            return (share or state.tuned_us) * room / (1 + climb.stale + state.trials / 4)

        return max(waiting, key=gain, default=None)


def _key(task: Task, target: str, threads: int) -> Key:
    """Return what records and trials of a task are for."""
    version = versions().get(task.rule)
    if version is None:
        raise RuntimeError(
            f"the rule {task.rule!r} has no version in tvmlcnn.records.VERSIONS, "
            "so that nothing can be recorded of it"
        )
    return Key(task.workload, target, task.rule, version, task.element.name, threads)


def _kernel(key: Key) -> Key:
    """Return what a kernel's records and trials have in common, whichever rule made it."""
    return key._replace(rule="", version=0)


def _state(task: Task, limits: Limits | None) -> TaskState:
    name = task.layers[0] if task.layers else task.workload
    least = None if limits is None else limits.microseconds(task.flops / task.gain, task.bytes)
    return TaskState(name, task.rule, task.calls, task.flops, least)
