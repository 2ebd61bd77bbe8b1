"""The records of tuning as what decides about kernels."""

from __future__ import annotations

from tvmlcnn.records import VERSIONS, Library

from .decisions import DEFAULTS, Chosen, Decisions


class Recorded:
    """Decides by the record of a workload, where there is one, else by the device's figures.

    Attributes
    ----------
    asked : set of str
        Workloads that could have had a record.
    default : set of str
        Workloads of whose records the default is the best.
    """

    def __init__(self, library: Library, target: str) -> None:
        self._library = library
        self._target = target
        self._chosen: dict[str, Chosen] = {}
        self.asked: set[str] = set()
        self.default: set[str] = set()
        self._old: set[str] = set()

    def of(self, rule: str, workload: str) -> Decisions:
        """Return what decides for a workload of a rule."""
        if workload not in self.asked:
            self.asked.add(workload)
            record = self._library.find(workload, self._target, rule, VERSIONS[rule])
            if record is None:
                if self._library.stale(workload, self._target, VERSIONS):
                    self._old.add(workload)
            elif record.is_default:
                self.default.add(workload)
            else:
                self._chosen[workload] = Chosen(record.decisions)
        return self._chosen.get(workload, DEFAULTS)

    @property
    def found(self) -> set[str]:
        """Workloads that were made as their records say."""
        return {workload for workload, chosen in self._chosen.items() if not chosen.misfits}

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
        return said
