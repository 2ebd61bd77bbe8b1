"""Candidates for a kernel against the untuned one, on all boards at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tvmlcnn.errors import UserError
from tvmlcnn.remote import Board, BoardError, BoardLost, Fleet, KernelCrashed, KernelTimeout
from tvmlcnn.schedules import why_given_up
from tvmlcnn.targets import Device

from .building import Builder
from .gpu_measuring import measure_on_gpu
from .kernels import Fixed, Kernel, scheduled
from .measuring import Outcome, measure, timeout
from .tasks import Task


@dataclass(frozen=True)
class Failure:
    """A candidate that has no time.

    Attributes
    ----------
    kind : str
        One of `tvmlcnn.records.record.ERRORS`.
    detail : str
        In a line.
    """

    kind: str
    detail: str


@dataclass(frozen=True)
class _Job:
    """Candidates that one board measures, by their numbers."""

    numbers: list[int]
    kernels: list[Kernel]
    libraries: list[Path]


_MEASURES: dict[str, Callable[..., list[Outcome]]] = {"cpu": measure, "cuda": measure_on_gpu}
"""By the family of the device."""


class Bench:
    """Measures candidates.

    Attributes
    ----------
    emulated : bool
        Whether boards are emulated, whose times are kept apart.
    """

    def __init__(self, device: Device, fleet: Fleet, builder: Builder) -> None:
        self.emulated = any(board.facts()["emulated"] for board in fleet)
        self._device, self._fleet, self._builder = device, fleet, builder

    def compare(
        self,
        task: Task,
        candidates: Sequence[dict[str, Any]],
        default_us: float | None,
        thorough: int = 1,
    ) -> Iterator[tuple[int, Outcome | Failure]]:
        """Measure candidates in turns with the untuned kernel.

        Each costs itself at most: where one crashes, hangs or cannot be built, those that were
        together with it are done again, each alone.

        Parameters
        ----------
        task : Task
        candidates : sequence of dict
            Decisions; none at all are the untuned kernel's.
        default_us : float or None
            Microseconds of the untuned kernel, where they are known.
        thorough : int
            How many times the usual number of calls is made.

        Yields
        ------
        number, outcome
            Of a candidate, as they are done.

        Raises
        ------
        BoardLost
            If no board is left.
        """
        if not len(self._fleet):
            raise BoardLost(f"no board is left: {'; '.join(self._fleet.lost.values())}")
        default = scheduled(task, self._device)
        kernels: dict[int, Kernel] = {}
        for number, decisions in enumerate(candidates):
            try:
                kernel = scheduled(task, self._device, Fixed(decisions))
            except Exception as error:  # TVM raises many types
                yield number, Failure("build", _line(error))
                continue
            if (reason := why_given_up(kernel.function)) is None:
                kernels[number] = kernel
            else:
                yield number, Failure("build", reason)
        groups = _divided(list(kernels), len(self._fleet))
        while groups:
            alone: list[int] = []
            jobs: list[_Job] = []
            for numbers in groups:
                its = [default, *(kernels[number] for number in numbers)]
                try:
                    libraries = self._builder.build(its, task.footprint)
                except UserError:  # of the machine, not of a candidate
                    raise
                except Exception as error:
                    if len(numbers) == 1:
                        yield numbers[0], Failure("build", _line(error))
                    else:
                        alone += numbers
                    continue
                jobs.append(_Job(numbers, its, libraries))
            seconds = timeout(1 + max(map(len, groups)), default_us, thorough)
            work = self._work(task.footprint, seconds, thorough)
            for job, result in self._fleet.map(work, jobs):
                for library in job.libraries:
                    library.unlink(missing_ok=True)
                if isinstance(result, BoardError):
                    if len(job.numbers) > 1 and not isinstance(result, BoardLost):
                        alone += job.numbers
                    else:
                        yield from ((n, _failure(result)) for n in job.numbers)
                else:
                    yield from zip(job.numbers, map(_checked, result[1:]), strict=True)
            groups = [[number] for number in alone]

    def _work(self, footprint: int, seconds: float, thorough: int) -> Any:
        measured = _MEASURES[self._device.family]

        def work(board: Board, job: _Job) -> list[Outcome]:
            try:
                return measured(
                    board, job.libraries, job.kernels, self._device, footprint, seconds, thorough
                )
            except UserError:
                raise
            except Exception as error:  # what a kernel's own checks raise comes through TVM
                raise KernelCrashed(f"{board.name}: {_line(error)}") from error

        return work


def _divided(numbers: list[int], parts: int) -> list[list[int]]:
    return [part for start in range(parts) if (part := numbers[start::parts])]


def _checked(outcome: Outcome) -> Outcome | Failure:
    if outcome.microseconds is None:
        return Failure("wrong result", f"error {outcome.error:.1e} of the result's range")
    return outcome


def _failure(error: BoardError) -> Failure:
    if isinstance(error, BoardLost):
        return Failure("device", _line(error))
    return Failure("timeout" if isinstance(error, KernelTimeout) else "crash", _line(error))


def _line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:200]
