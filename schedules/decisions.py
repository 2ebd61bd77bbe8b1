"""What schedules decide, and who decides it: the device's figures, a record, or a search.

A rule names each decision and ranks its options. The first option is the analytic default; a
tuned record names another one; tuning samples all of them. So one function is the default
schedule, the tuned one and the search space (AutoTVM's templates).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any, Protocol, TypeVar

from tvmlcnn.targets import ElementType

from .layer import Layer

T = TypeVar("T")


class Decisions(Protocol):
    """Decides for one workload."""

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return one of the options of a decision; ``ranked`` begins with the default."""

    def trace(self) -> Any:
        """Return the tuned trace of a kernel that no rule claims, as JSON, or None."""

    def reject(self, name: str) -> None:
        """Be told that what was decided under a name does not fit, and the default was taken."""


class Policy(Protocol):
    """Decides for every workload."""

    def rule(self, layer: Layer) -> str | None:
        """Return the rule that is to make a layer's kernel; None means the first that pays."""

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        """Return what decides for a workload of a rule."""


class Defaults:
    """The analytic defaults, for every workload."""

    def rule(self, layer: Layer) -> None:
        """Return None."""

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        """Return itself."""
        return self

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return the first option."""
        return ranked[0]

    def trace(self) -> None:
        """Return None."""

    def reject(self, name: str) -> None:
        """Raise RuntimeError: a default fits."""
        raise RuntimeError(f"the default of {name} does not fit")


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

    def reject(self, name: str) -> None:
        """Count the decision among the misfits."""
        self.misfits.add(name)


class Asking:
    """Decisions that say when the first of them is asked for.

    A rule without decisions has nothing that a record could change, or tuning search.
    """

    def __init__(self, decisions: Decisions, asked: Callable[[], None]) -> None:
        self._decisions, self._asked = decisions, asked

    def choose(self, name: str, ranked: Sequence[T]) -> T:
        """Return what is decided."""
        self._asked()
        return self._decisions.choose(name, ranked)

    def trace(self) -> Any:
        """Return the trace, if any."""
        self._asked()
        return self._decisions.trace()

    def reject(self, name: str) -> None:
        """Pass it on."""
        self._decisions.reject(name)


def plain(option: Any) -> Any:
    """Return an option as JSON has it."""
    if is_dataclass(option) and not isinstance(option, type):
        return [plain(getattr(option, part.name)) for part in fields(option)]
    if isinstance(option, (tuple, list)):
        return [plain(part) for part in option]
    return option
