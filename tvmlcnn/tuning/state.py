"""Where a tuning run stands: what the tuner keeps up to date and the live view shows."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from tvmlcnn.records import geometric_mean

WORKING = "working"  # of a board
DONE = "done"  # of a run


@dataclass
class TaskState:
    """One kernel that is tuned.

    Attributes
    ----------
    name : str
        Its layers, or its workload.
    rule : str
    calls : dict of str to int
        By the model: how often one run calls it.
    flops : int
        Of one call, a multiply-add counted as two.
    roofline_us : float or None
        The least time of one call on the target; None where it is not known.
    trials : int
        Candidates measured, those of an earlier run that is gone on with included.
    default_us, best_us : float or None
        Time of one call, untuned and of the best candidate; None until measured.
    errors : Counter of str
        Failed candidates by kind.
    done : bool
        Whether nothing more is tried.
    """

    name: str
    rule: str
    calls: dict[str, int]
    flops: int
    roofline_us: float | None
    trials: int = 0
    default_us: float | None = None
    best_us: float | None = None
    errors: Counter[str] = field(default_factory=Counter)
    done: bool = False

    @property
    def tuned_us(self) -> float | None:
        """Time of one call as it will be compiled: the better of the default and the best."""
        return min((us for us in (self.default_us, self.best_us) if us is not None), default=None)

    @property
    def gflops(self) -> float | None:
        """1e9 operations a second of the tuned kernel; None where it only moves data."""
        return self.flops / self.tuned_us / 1e3 if self.tuned_us and self.flops else None

    @property
    def roofline(self) -> float | None:
        """Share of the roofline that the tuned kernel reaches."""
        if self.tuned_us is None or self.roofline_us is None:
            return None
        return self.roofline_us / self.tuned_us

    @property
    def gain(self) -> float | None:
        """How many times as fast as the untuned default; 1 at least."""
        if self.tuned_us is None or self.default_us is None:
            return None
        return self.default_us / self.tuned_us

    @property
    def total_us(self) -> float | None:
        """Time of all calls of all models, tuned."""
        return None if self.tuned_us is None else self.tuned_us * sum(self.calls.values())


@dataclass(frozen=True)
class Latency:
    """Predicted time of one run of a model, in microseconds."""

    untuned_us: float
    tuned_us: float

    @property
    def gain(self) -> float:
        """How many times as fast tuned as untuned."""
        return self.untuned_us / self.tuned_us


@dataclass
class RunState:
    """A tuning run.

    Attributes
    ----------
    target : str
    threads : int
    boards : dict of str to str
        By the name: `WORKING`, or ``"set aside: why"``.
    emulated : bool
        Whether kernels run in an emulator, whose times say nothing of the device's speed.
    tasks : list of TaskState
    rest_us : dict of str to float
        By the model: time of one run that is spent in what is not tuned.
    budget : int or None
        Trials wanted in all, those of an earlier run included.
    seconds : float or None
        Time that this run may take.
    resumed : int
        Trials of earlier runs that were on the disk when this one began.
    started : float
        By `time.monotonic`.
    phase : str
        What is being done.
    """

    target: str
    threads: int
    boards: dict[str, str]
    emulated: bool
    tasks: list[TaskState]
    rest_us: dict[str, float]
    budget: int | None = None
    seconds: float | None = None
    resumed: int = 0
    started: float = field(default_factory=time.monotonic)
    phase: str = ""

    @property
    def models(self) -> list[str]:
        """The models whose kernels are tuned, in order."""
        names = [*self.rest_us, *(model for task in self.tasks for model in task.calls)]
        return list(dict.fromkeys(names))

    @property
    def trials(self) -> int:
        """Candidates measured for all tasks."""
        return sum(task.trials for task in self.tasks)

    @property
    def errors(self) -> Counter[str]:
        """Failed candidates of all tasks, by kind."""
        return sum((task.errors for task in self.tasks), Counter())

    @property
    def gain(self) -> float | None:
        """Geometric mean of the gains of the tasks that have one."""
        return geometric_mean(task.gain for task in self.tasks if task.gain is not None)

    def measured(self, model: str) -> tuple[int, int]:
        """Return how many of a model's tasks have an untuned time, and how many there are."""
        its = [task for task in self.tasks if task.calls.get(model)]
        return sum(task.default_us is not None for task in its), len(its)

    def latency(self, model: str) -> Latency | None:
        """Return the predicted time of one run, untuned and tuned.

        It is the sum of each task's calls and of what is not tuned; None while a task of the
        model has no untuned time.
        """
        untuned = tuned = self.rest_us.get(model, 0.0)
        for task in self.tasks:
            if calls := task.calls.get(model, 0):
                if task.default_us is None or task.tuned_us is None:
                    return None
                untuned += calls * task.default_us
                tuned += calls * task.tuned_us
        return Latency(untuned, tuned) if tuned > 0 else None

    def to_json(self) -> dict[str, Any]:
        """Return the state as a JSON object."""
        latencies = {model: self.latency(model) for model in self.models}
        return {
            "target": self.target,
            "threads": self.threads,
            "emulated": self.emulated,
            "boards": self.boards,
            "trials": self.trials,
            "errors": dict(self.errors),
            "gain": self.gain,
            "models": {
                model: None if latency is None else asdict(latency)
                for model, latency in latencies.items()
            },
            "kernels": [asdict(task) | {"gain": task.gain} for task in self.tasks],
        }

    def by_share(self) -> list[tuple[TaskState, float | None]]:
        """Return the tasks and their share of the tuned time, the largest first.

        Those without a time follow, in the order of their operations.
        """
        total = sum(task.total_us or 0.0 for task in self.tasks)
        shares = [
            (task, None if task.total_us is None else task.total_us / total) for task in self.tasks
        ]
        return sorted(
            shares,
            key=lambda pair: (pair[1] or 0.0, pair[0].flops * sum(pair[0].calls.values())),
            reverse=True,
        )

    def elapsed(self, now: float) -> float:
        """Return the seconds of this run until ``now``, by `time.monotonic`."""
        return now - self.started

    def remaining(self, now: float) -> float | None:
        """Return the seconds until trials or time are used up; None where neither is known.

        Also None when the run is done, be it before they are.
        """
        if self.phase == DONE:
            return None
        elapsed = self.elapsed(now)
        ends = []
        if self.seconds is not None:
            ends.append(self.seconds - elapsed)
        fresh = self.trials - self.resumed
        if self.budget is not None and fresh > 0:
            ends.append(elapsed / fresh * (self.budget - self.trials))
        return max(0.0, min(ends)) if ends else None
