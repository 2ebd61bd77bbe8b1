"""The records that a compilation finds: the user's before those that come with tvmlcnn."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tvmlcnn.files import refuse_special

from .places import shipped_folder, user_folder
from .record import Key, Record
from .store import Store, best

YOURS = "yours"
SHIPPED = "shipped"


@dataclass(frozen=True)
class Found:
    """A record and whose it is: ``"yours"`` or ``"shipped"``."""

    record: Record
    origin: str


@dataclass
class Library:
    """The user's store and the shipped one, read a target at a time, when it is asked for.

    Attributes
    ----------
    user, shipped : Store
    broken : list of str
        ``file:line: what is wrong`` for each line that was skipped so far.
    """

    user: Store
    shipped: Store
    broken: list[str] = field(default_factory=list)
    _read: dict[str, dict[Key, Found]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, folder: Path | None = None) -> Library:
        """Return the library with the user's records in ``folder``, or in their usual place.

        Raises
        ------
        UserError
            If ``folder`` can be none, as by the length of its name.
        """
        if folder is not None:
            refuse_special(folder)
        return cls(Store(folder or user_folder()), Store(shipped_folder()))

    def targets(self) -> list[str]:
        """Return the targets that have records, sorted."""
        return sorted({*self.user.targets(), *self.shipped.targets()})

    def records(self, target: str) -> list[Found]:
        """Return what is found for a target, one a key, stale ones too."""
        return list(self._of(target).values())

    def find(self, key: Key) -> Record | None:
        """Return the record to compile a kernel with; None leaves it to the untuned default.

        The user's comes first, for it was measured on a machine like the user's; but one from an
        emulator hides no real board's, and one that found nothing better than the default hides
        none that did. One that was measured to be slower than the default is never returned.
        """
        found = self._of(key.target).get(key)
        return found.record if found else None

    def stale(self, key: Key, versions: Mapping[str, int]) -> list[Record]:
        """Return the records of a kernel for rules that are gone or at another version.

        Those for another element type or number of threads are another kernel's.
        """
        return [
            found.record
            for other, found in self._of(key.target).items()
            if other._replace(rule=key.rule, version=key.version) == key
            if found.record.is_stale(versions)
        ]

    def other_threads(self, key: Key) -> set[int]:
        """Return with how many threads, other than the key's, the user's tuning was of use.

        Those that come with tvmlcnn do not count: nobody expects them who has not tuned.
        """
        return {
            other.threads
            for other, found in self._of(key.target).items()
            if other._replace(threads=key.threads) == key and other.threads != key.threads
            if found.origin == YOURS and not found.record.is_default
        }

    def _of(self, target: str) -> dict[Key, Found]:
        if target not in self._read:
            found = self._best(self.shipped, target, SHIPPED)
            for key, yours in self._best(self.user, target, YOURS).items():
                if key not in found or _worth(yours) >= _worth(found[key]):
                    found[key] = yours
            self._read[target] = found
        return self._read[target]

    def _best(self, store: Store, target: str, origin: str) -> dict[Key, Found]:
        contents = store.records(target)
        self.broken += contents.broken
        return {key: Found(record, origin) for key, record in best(contents.entries).items()}


def _worth(found: Found) -> tuple[bool, bool]:
    """Return what makes a record hide another: a real board's, and that something was found."""
    return not found.record.is_emulated, not found.record.is_default
