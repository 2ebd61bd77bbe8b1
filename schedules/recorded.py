"""The records of tuning as what decides about kernels."""

from __future__ import annotations

from tvmlcnn.records import VERSIONS, Library
from tvmlcnn.targets import ElementType

from .decisions import Asking, Chosen, Decisions
from .layer import Layer


class Recorded:
    """Decides by the record of a workload, where there is one, else by the device's figures.

    Attributes
    ----------
    asked : set of str
        Workloads that could have had a record.
    """

    def __init__(self, library: Library, target: str) -> None:
        self._library = library
        self._target = target
        self._chosen: dict[tuple[str, str], Chosen] = {}
        self.asked: set[str] = set()
        self._old: set[str] = set()

    def rule(self, layer: Layer) -> str | None:
        """Return the rule of the record, if that decides something."""
        return None

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        """Return what decides for a workload of a rule."""
        if (rule, workload) not in self._chosen:
            record = self._library.find(workload, self._target, rule, VERSIONS.get(rule, 0))
            self._chosen[rule, workload] = Chosen(record.decisions if record else {})
        return Asking(self._chosen[rule, workload], lambda: self.asked.add(workload))
