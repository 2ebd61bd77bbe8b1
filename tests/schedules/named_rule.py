"""A policy that has one rule make what it can, pays it or not."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tvmlcnn.schedules import Layer


@dataclass(frozen=True)
class NamedRule:
    """Decides for a rule, and for one of the ways that there are to cut its kernel."""

    name: str
    way: int = 0

    def rule(self, layer: Layer) -> str:
        return self.name

    def of(self, *_: object) -> NamedRule:
        return self

    def choose(self, name: str, ranked: Sequence[Any]) -> Any:
        return ranked[self.way % len(ranked)]

    def trace(self) -> None:
        return None

    def reject(self, name: str) -> None:
        raise AssertionError(name)
