"""A folder of records: a folder a target, with the winners and all that was measured."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Generic

from tvmlcnn.errors import UserError

from . import journal
from .record import AnyEntry, Entry, Key, Record, Trial

RECORDS = "records.jsonl"
TRIALS = "trials.jsonl"


@dataclass(frozen=True)
class Contents(Generic[AnyEntry]):
    """What a file of records or trials holds.

    Attributes
    ----------
    entries : list of Record or Trial
        In the order in which they were written.
    broken : list of str
        ``file:line: what is wrong`` for each line that is none.
    cut : bool
        Whether the last line is cut, as a killed writer leaves it.
    """

    entries: list[AnyEntry]
    broken: list[str]
    cut: bool


def read_entries(path: Path, kind: type[AnyEntry]) -> Contents[AnyEntry]:
    """Read a file of records or trials of any targets; one that does not exist is empty."""
    return _entries(path, journal.read(path), kind)


def best(records: Iterable[Record]) -> dict[Key, Record]:
    """Return the record with the highest gain of each key; of equal ones the last.

    The untuned default wins over a record that was measured to be slower, and a real board's over
    an emulator's.
    """
    winners: dict[Key, Record] = {}
    for record in records:
        former = winners.get(record.key)
        if record.gain < 1.0:
            continue
        if former is None or _worth(record) >= _worth(former):
            winners[record.key] = record
    return winners


def _worth(record: Record) -> tuple[bool, float]:
    return not record.is_emulated, record.gain


@dataclass(frozen=True)
class Store:
    """Records and trials under one folder, ``<folder>/<target>/{records,trials}.jsonl``.

    The folder need not exist: it is then empty, and made by the first entry that is added.
    """

    folder: Path

    def targets(self) -> list[str]:
        """Return the targets that have a file here, sorted."""
        try:
            folders = list(self.folder.iterdir())
        except FileNotFoundError:
            return []
        except OSError as error:
            raise UserError(f"cannot read {self.folder}: {error.strerror}") from error
        return sorted(f.name for f in folders if any((f / n).is_file() for n in (RECORDS, TRIALS)))

    def records(self, target: str) -> Contents[Record]:
        """Return all winners that were written for a target, superseded ones too."""
        return self._contents(target, Record)

    def trials(self, target: str) -> Contents[Trial]:
        """Return all that was measured for a target."""
        return self._contents(target, Trial)

    def add(self, *entries: Entry) -> None:
        """Write entries; they are on the disk when this returns.

        Raises
        ------
        UserError
            If the disk is full or the folder cannot be written to.
        """
        files: dict[Path, list[Entry]] = {}
        for entry in entries:
            files.setdefault(self._path(entry.target, type(entry)), []).append(entry)
        for path, its in files.items():
            journal.append(path, (entry.to_json() for entry in its))

    def rewrite(
        self,
        target: str,
        kind: type[AnyEntry],
        change: Callable[[Contents[AnyEntry]], Iterable[AnyEntry]],
    ) -> None:
        """Replace the records or the trials of a target, whole or not at all.

        ``change`` gets what the file holds while nobody else may write to it.
        """
        path = self._path(target, kind)
        journal.rewrite(
            path,
            lambda lines: (e.to_json() for e in change(_entries(path, lines, kind, target))),
        )

    def _path(self, target: str, kind: type[Entry]) -> Path:
        return self.folder / target / (RECORDS if kind is Record else TRIALS)

    def _contents(self, target: str, kind: type[AnyEntry]) -> Contents[AnyEntry]:
        path = self._path(target, kind)
        return _entries(path, journal.read(path), kind, target)


def _entries(
    path: Path, lines: journal.Lines, kind: type[AnyEntry], target: str | None = None
) -> Contents[AnyEntry]:
    entries = []
    broken = list(lines.broken)
    for number, value in lines.objects:
        try:
            entry = kind.from_json(value)
        except ValueError as error:
            broken.append(f"{path}:{number}: {error}")
            continue
        if target in (None, entry.target):
            entries.append(entry)
        else:
            broken.append(f"{path}:{number}: of {entry.target}, in the folder of {target}")
    return Contents(entries, broken, lines.cut)
