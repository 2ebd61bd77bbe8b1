"""What schedules decide, and who decides it: the device's figures, a record, or a search.

A rule, and the pass that makes its workload, name each decision and rank its options. The first
option is the analytic default; a tuned record names another one; tuning samples all of them. So
one function is the default schedule, the tuned one and the search space (AutoTVM's templates).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, TypeVar

T = TypeVar("T")


class Decisions(Protocol):
    """Decides for one workload."""

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return one of the options of a decision; ``ranked`` begins with the default."""

    def trace(self) -> Any:
        """Return the tuned trace of a kernel that no rule claims, as JSON, or None."""


class Policy(Protocol):
    """Decides for every workload."""

    def of(self, rule: str, workload: str) -> Decisions:
        """Return what decides for a workload of a rule."""


class Defaults:
    """The analytic defaults, for every workload."""

    def of(self, rule: str, workload: str) -> Decisions:
        """Return itself."""
        return self

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return the first option."""
        return ranked[0]

    def trace(self) -> None:
        """Return None."""


DEFAULTS = Defaults()


class Chosen:
    """Decisions that are written down, as a record has them.

    Attributes
    ----------
    values : dict
        JSON by the name of the decision; where one is missing the default is taken.
    misfits : set of str
        Decisions whose value was none of the options, so that the default was taken.
    """

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = dict(values)
        self.misfits: set[str] = set()

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return the option that is written down."""
        if name not in self.values:
            return ranked[0]
        for option in ranked:
            if plain(option) == self.values[name]:
                return option
        self.misfits.add(name)
        return ranked[0]

    def trace(self) -> Any:
        """Return the trace that is written down, if any."""
        return self.values.get("trace")


def plain(option: Any) -> Any:
    """Return an option as JSON has it."""
    if is_dataclass(option) and not isinstance(option, type):
        return [plain(getattr(option, part.name)) for part in fields(option) if part.compare]
    if isinstance(option, (tuple, list)):
        return [plain(part) for part in option]
    return option
