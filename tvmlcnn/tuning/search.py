"""The search for a better schedule of one task, by MetaSchedule.

Decisions of a rule and MetaSchedule's generated space go the same way: evolutionary search
proposes candidates, XGBoost ranks them, what was measured goes back to both.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import tvm
from tvm.ir.utils import derived_object
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import Trace

from tvmlcnn.schedules.generated import applied, portable
from tvmlcnn.targets import Device

from . import space
from .metaschedule import ms
from .tasks import Task

_POPULATION = 64
# Batches in a row of nothing but what was measured before say that there is no more.
_ATTEMPTS = 4
_WARM_UP = 12  # measured candidates before the cost model is asked


@dataclass(frozen=True)
class Candidate:
    """Decisions to measure, and MetaSchedule's own form of them."""

    decisions: dict[str, Any]
    measured: Any


class Space(Protocol):
    """A search space of one task."""

    module: tvm.IRModule
    generator: Any
    extractor: Any

    def decisions(self, sch: Schedule) -> dict[str, Any]:
        """Return the decisions that a schedule stands for, as a record has them."""

    def schedule(self, decisions: dict[str, Any]) -> Schedule | None:
        """Return the schedule of decisions, or None where they are not in the space."""


class Search:
    """Proposes candidates for a task, and learns from their times."""

    def __init__(self, found: Space, device: Device, batch: int, seed: int) -> None:
        self._space = found
        self._seen: set[str] = set()
        self._database = ms.database.MemoryDatabase()
        self._model = ms.cost_model.XGBModel(
            extractor=found.extractor, num_warmup_samples=_WARM_UP, num_tuning_cores=1
        )
        self._context = ms.TuneContext(
            mod=found.module,
            # Where a target does not say its cores, TVM would ask psutil for this machine's.
            target=tvm.target.Target(device.with_cores(device.cores).tvm),
            space_generator=found.generator,
            search_strategy=ms.search_strategy.EvolutionarySearch(
                population_size=_POPULATION,
                init_measured_ratio=0.2,
                init_min_unmeasured=batch,
                max_fail_count=3,
                genetic_num_iters=2,
            ),
            num_threads=1,
            rand_state=seed + 1,
        ).clone()
        self._workload = self._database.commit_workload(self._context.mod)
        self._context.pre_tuning(
            max_trials=2**31 - 1,
            num_trials_per_iter=batch,
            database=self._database,
            cost_model=self._model,
        )

    def propose(self, most: int) -> list[Candidate]:
        """Return candidates that were not proposed before; none where the space is exhausted."""
        fresh: list[Candidate] = []
        for _ in range(_ATTEMPTS):
            for measured in self._context.generate_measure_candidates() or []:
                candidate = Candidate(self._space.decisions(measured.sch), measured)
                key = _key(candidate.decisions)
                if key not in self._seen and len(fresh) < most:
                    self._seen.add(key)
                    fresh.append(candidate)
            if fresh:
                break
        return fresh

    def learn(self, candidates: Sequence[Candidate], seconds: Sequence[float | None]) -> None:
        """Tell the search how long candidates take; None for one that failed."""
        results = [
            ms.runner.RunnerResult(None, "failed")
            if time is None
            else ms.runner.RunnerResult([time], None)
            for time in seconds
        ]
        measured = [candidate.measured for candidate in candidates]
        self._context.notify_runner_results(measured, results)
        self._remember(measured, results)

    def recall(self, past: Iterable[tuple[dict[str, Any], float | None]]) -> None:
        """Learn from what was measured before, in another run."""
        measured, results = [], []
        for decisions, seconds in past:
            self._seen.add(_key(decisions))
            sch = self._space.schedule(decisions)
            if sch is not None and seconds is not None:
                arguments = ms.arg_info.ArgInfo.from_entry_func(sch.mod, remove_preproc=True)
                measured.append(ms.MeasureCandidate(sch, arguments))
                results.append(ms.runner.RunnerResult([seconds], None))
        self._remember(measured, results)

    def _remember(self, measured: Sequence[Any], results: Sequence[Any]) -> None:
        for candidate, result in zip(measured, results, strict=True):
            if result.run_secs is not None:
                record = ms.database.TuningRecord(
                    candidate.sch.trace,
                    self._workload,
                    result.run_secs,
                    self._context.target,
                    candidate.args_info,
                )
                self._database.commit_tuning_record(record)
        if measured:
            self._model.update(self._context, measured, results)


def _key(decisions: dict[str, Any]) -> str:
    return json.dumps(decisions, sort_keys=True)


class TemplateSpace:
    """The decisions of the rule that takes a task."""

    def __init__(self, task: Task, device: Device, seed: int) -> None:
        self.options = space.spaces(task, device)
        self.module = space.stand_in(task.workload)
        self.generator = ms.space_generator.ScheduleFn(
            self._designs,
            sch_rules=[],
            postprocs=[],
            mutator_probs={_MutateDecision(seed): 1.0},
        )
        self.extractor = _DecisionFeatures(self)

    def _designs(self, sch: Schedule) -> list[Schedule]:
        return [space.design(sch.copy(), n, options) for n, options in enumerate(self.options)]

    def decisions(self, sch: Schedule) -> dict[str, Any]:
        """Return the decisions that a schedule stands for."""
        return space.decided(sch, self.options)

    def schedule(self, decisions: dict[str, Any]) -> Schedule | None:
        """Return the schedule that stands for decisions, or None."""
        number = space.space_of(decisions, self.options)
        if number is None:
            return None
        return space.design(Schedule(self.module), number, self.options[number], decisions)


class GeneratedSpace:
    """MetaSchedule's generated space of a function that no rule claims: what Ansor was."""

    def __init__(self, function: tvm.tirx.PrimFunc) -> None:
        self.module = tvm.IRModule({"main": function.with_attr("global_symbol", "main")})
        # Those of a target would want the tensor intrinsics of its integers.
        self.generator = ms.space_generator.PostOrderApply(
            sch_rules=ms.ScheduleRule.create("llvm"),
            postprocs=ms.Postproc.create("llvm"),
            mutator_probs=ms.Mutator.create("llvm"),
        )
        self.extractor = ms.feature_extractor.PerStoreFeature()

    def decisions(self, sch: Schedule) -> dict[str, Any]:
        """Return the trace of a schedule, as JSON."""
        return {"trace": portable(_plain(sch.trace.as_json()), Schedule(self.module))}

    def schedule(self, decisions: dict[str, Any]) -> Schedule | None:
        """Return the schedule of a trace."""
        return applied(decisions["trace"], Schedule(self.module))


def _plain(value: Any) -> Any:
    """Turn TVM's containers into JSON's."""
    if isinstance(value, (str, bool, int, float)) or value is None:
        return value
    if hasattr(value, "items"):
        return {str(key): _plain(item) for key, item in value.items()}
    if hasattr(value, "value"):
        return _plain(value.value)
    return [_plain(item) for item in value]


@derived_object
class _MutateDecision(ms.mutator.PyMutator):
    """Changes one decision."""

    def __init__(self, seed: int) -> None:
        super().__init__()
        self.seed = seed
        self.random = random.Random(seed)

    def _initialize_with_tune_context(self, context: Any) -> None:
        pass

    def apply(self, trace: Trace, _: Any) -> Trace | None:
        """Return the trace with another value of one decision that has several."""
        several = [
            inst
            for inst in trace.insts
            if inst.kind.name == "SampleCategorical" and len(inst.attrs[0]) > 1
        ]
        if not several:
            return None
        inst = self.random.choice(several)
        value = self.random.randrange(len(inst.attrs[0]))
        if value == int(trace.get_decision(inst)):
            return None
        return trace.with_decision(inst, value, remove_postproc=True)

    def clone(self) -> Any:
        """Return another one of the same seed."""
        return _MutateDecision(self.seed)


@derived_object
class _DecisionFeatures(ms.feature_extractor.PyFeatureExtractor):
    """Describes a candidate by its decisions."""

    def __init__(self, found: TemplateSpace) -> None:
        super().__init__()
        self.space = found

    def extract_from(self, context: Any, candidates: list[Any]) -> list[Any]:
        """Return an array of one row for each candidate."""
        options = self.space.options
        return [
            tvm.runtime.tensor(space.features(self.space.decisions(c.sch), options))
            for c in candidates
        ]
