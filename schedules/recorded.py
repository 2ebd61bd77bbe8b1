"""The records of tuning as what decides about kernels."""

from __future__ import annotations

from tvmlcnn.records import FLOAT32, VERSIONS, Key, Library

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

    def __init__(self, library: Library, target: str, threads: int) -> None:
        self._library = library
        self._target = target
        self._threads = threads
        self._chosen: dict[str, Chosen] = {}
        self.asked: set[str] = set()
        self.default: set[str] = set()
        self._old: set[str] = set()
        self._others: set[int] = set()

    def of(self, rule: str, workload: str) -> Decisions:
        """Return what decides for a workload of a rule."""
        if workload not in self.asked:
            self.asked.add(workload)
            version = VERSIONS.get(rule, 0)
            key = Key(workload, self._target, rule, version, FLOAT32, self._threads)
            record = self._library.find(key)
            if record is None or record.is_stale(VERSIONS):
                if self._library.stale(key, VERSIONS):
                    self._old.add(workload)
                self._others |= self._library.other_threads(key)
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
        if self._others and not (self._chosen or self.default):
            counts = " or ".join(map(str, sorted(self._others)))
            said.append(
                f"the records of {self._target} for these kernels are for {counts} "
                f"thread{'' if counts == '1' else 's'}; compile with threads={counts} to use them"
            )
        return said
