"""Taking over, handing on and clearing out records."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tvmlcnn.errors import UserError
from tvmlcnn.files import refuse_special, write_whole

from .library import Found, Library
from .record import Record, Trial
from .store import TRIALS, Contents, Store, best, read_entries


@dataclass(frozen=True)
class Merged:
    """How many records of others were new, better than yours, no better, and stale."""

    new: int
    better: int
    kept: int
    stale: int


@dataclass
class Pruned:
    """How many lines went, and how many records and trials are left.

    Attributes
    ----------
    stale : int
        Records of rules that are gone or at another version.
    superseded : int
        Records that a later or a better one, or the untuned default, replaces.
    broken : int
        Lines that are no record or trial.
    stale_trials : int
    records, trials : int
        What is left.
    """

    stale: int = 0
    superseded: int = 0
    broken: int = 0
    stale_trials: int = 0
    records: int = 0
    trials: int = 0


def merge(store: Store, sources: Iterable[Path], versions: Mapping[str, int]) -> Merged:
    """Add records of others to a store, where their gain is higher than what it has.

    Parameters
    ----------
    store : Store
    sources : iterable of Path
        Files of records, and folders that hold some.
    versions : mapping
        The version of each rule today; records of other versions are left out.

    Raises
    ------
    UserError
        If a source has no records or a line that is none; nothing is then merged.
    """
    theirs = [record for source in sources for record in _records_in(source)]
    current = best(record for record in theirs if not record.is_stale(versions))
    ours = {
        key: record
        for target in {key.target for key in current}
        for key, record in best(store.records(target).entries).items()
    }
    new = [record for key, record in current.items() if key not in ours]
    gained = [r for key, r in current.items() if key in ours and r.gain > ours[key].gain]
    store.add(*new, *gained)
    return Merged(
        new=len(new),
        better=len(gained),
        kept=len(current) - len(new) - len(gained),
        stale=sum(record.is_stale(versions) for record in theirs),
    )


def export(
    library: Library,
    path: Path,
    versions: Mapping[str, int],
    target: str | None = None,
    rule: str | None = None,
) -> list[Found]:
    """Write the records that a compilation would find, but no stale ones, into one file.

    Parameters
    ----------
    library : Library
    path : Path
        The file; written whole or not at all. ``-`` is the output of this process.
    versions : mapping
        The version of each rule today.
    target, rule : str, optional
        Only these.

    Returns
    -------
    list of Found
        What was written.

    Raises
    ------
    UserError
        If there is nothing to write, or the file cannot be written.
    """
    found = [
        item
        for name in library.targets()
        if target in (None, name)
        for item in library.records(name)
        if rule in (None, item.record.rule) and not item.record.is_stale(versions)
    ]
    if not found:
        raise UserError("there are no such records; `tvmlcnn records list` shows what there is")
    found.sort(key=lambda item: _order(item.record))
    lines = [json.dumps(item.record.to_json()) + "\n" for item in found]
    write_whole(path, lambda file: file.writelines(line.encode() for line in lines), stream=True)
    return found


def prune(store: Store, versions: Mapping[str, int]) -> Pruned:
    """Drop what is stale, superseded or broken from a store.

    Each file is replaced whole, and only where something goes.
    """
    done = Pruned()

    def records(contents: Contents[Record]) -> list[Record]:
        current = [record for record in contents.entries if not record.is_stale(versions)]
        left = list(best(current).values())
        done.stale += len(contents.entries) - len(current)
        done.superseded += len(current) - len(left)
        done.records += len(left)
        done.broken += len(contents.broken) + contents.cut
        return left

    def trials(contents: Contents[Trial]) -> list[Trial]:
        left = [trial for trial in contents.entries if not trial.is_stale(versions)]
        done.stale_trials += len(contents.entries) - len(left)
        done.trials += len(left)
        done.broken += len(contents.broken) + contents.cut
        return left

    for target in store.targets():
        store.rewrite(target, Record, records)
        store.rewrite(target, Trial, trials)
    return done


def _order(record: Record) -> tuple[str | int, ...]:
    return record.target, record.rule, record.workload, record.dtype, record.threads


def _records_in(source: Path) -> list[Record]:
    refuse_special(source)
    if source.is_dir():
        files = sorted(path for path in source.rglob("*.jsonl") if path.name != TRIALS)
    elif source.is_file():
        files = [source]
    else:
        raise UserError(f"there is no file or folder {source}; nothing was merged")
    records = []
    for path in files:
        contents = read_entries(path, Record)
        if contents.broken or contents.cut:
            what = contents.broken[0] if contents.broken else f"{path}: its last line is cut short"
            raise UserError(f"{what}; nothing was merged")
        records += contents.entries
    if not records:
        raise UserError(f"{source} holds no records; nothing was merged")
    return records
