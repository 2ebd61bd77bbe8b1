"""The records of tuning as what decides about kernels."""

from __future__ import annotations

from tvmlcnn.records import Key, Library, Record, versions
from tvmlcnn.targets import ElementType

from .decisions import DEFAULTS, Asking, Chosen, Decisions
from .layer import Layer


class Recorded:
    """Decides by the record of a workload, where there is one, else by the device's figures.

    Attributes
    ----------
    asked : set of str
        Workloads that could have had a record.
    default : set of str
        Workloads of whose records the default is the best.
    """

    def __init__(self, library: Library, target: str, threads: int) -> None:
        self._library = library
        self._versions = versions()
        self._target = target
        self._threads = threads
        self._records: dict[tuple[str, ElementType], Record | None] = {}
        self._chosen: dict[tuple[str, ElementType], Chosen] = {}
        self._applied: set[tuple[str, ElementType]] = set()
        self._old: set[str] = set()
        self._others: set[int] = set()
        self.asked: set[str] = set()
        self.default: set[str] = set()

    def rule(self, layer: Layer) -> str | None:
        """Return the rule of the record, if it decides something."""
        record = self._of(layer.workload, layer.element)
        return record.rule if record and not record.is_default else None

    def of(self, rule: str, workload: str, element: ElementType) -> Decisions:
        """Return what decides for a workload of a rule."""
        record = self._of(workload, element)
        if record is None or record.rule != rule or record.is_default:
            return Asking(DEFAULTS, lambda: self.asked.add(workload))

        def applied() -> None:
            self.asked.add(workload)
            self._applied.add((workload, element))

        return Asking(self._chosen[workload, element], applied)

    def _of(self, workload: str, element: ElementType) -> Record | None:
        """Return the record that decides about a workload, of whichever rule."""
        if (workload, element) not in self._records:
            keys = [
                Key(workload, self._target, rule, version, element.name, self._threads)
                for rule, version in self._versions.items()
            ]
            found = [record for key in keys if (record := self._library.find(key))]
            best = max(found, key=lambda r: (not r.is_default, r.gain), default=None)
            self._records[workload, element] = best
            if best is None:
                if self._library.stale(keys[0], self._versions):
                    self._old.add(workload)
                self._others.update(*map(self._library.other_threads, keys))
            elif best.is_default:
                self.default.add(workload)
            else:
                self._chosen[workload, element] = Chosen(best.decisions)
        return self._records[workload, element]

    @property
    def found(self) -> set[str]:
        """Workloads that were made as their records say."""
        return {key[0] for key in self._applied if not self._chosen[key].misfits}

    @property
    def warnings(self) -> list[str]:
        """What a user should know of the records that were read."""
        stale = len(self._old) + len(self._chosen) - len(self.found)
        said = [f"{line}; the line was left out" for line in self._library.broken]
        if stale:
            said.append(
                f"stale records of {stale} kernels were left out; tune them again "
                "(`tvmlcnn records prune` drops the old ones)"
            )
        if self._others and not (self._chosen or self.default):
            counts = " or ".join(map(str, sorted(self._others)))
            said.append(
                f"your records of {self._target} for these kernels are for {counts} "
                f"thread{'' if counts == '1' else 's'}; compile with threads={counts} to use them"
            )
        return said
