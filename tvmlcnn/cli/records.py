"""``tvmlcnn records``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completion
from .output import json_option, print_facts, print_json, print_table

if TYPE_CHECKING:
    from tvmlcnn.records import Found, Library

_HEADER = ("gain", "us", "workload")

records_option = click.option(
    "--records",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="Your records. Default: tvmlcnn/records in $XDG_DATA_HOME or ~/.local/share.",
)
_target_option = click.option(
    "--target", shell_complete=completion.targets, help="Only of this target."
)
_rule_option = click.option(
    "--rule", shell_complete=completion.rules, help="Only of this rule, such as depthwise."
)


@click.group("records", no_args_is_help=False)
def command() -> None:
    """Look after what tuning found: your records, and those that come with tvmlcnn.

    `compile` takes the record of each kernel that has one for its target and threads, yours
    first. A record is stale where its rule has changed since; it is then left alone, and tuning
    makes a new one.
    """


@command.command("list")
@_target_option
@_rule_option
@records_option
@json_option
def list_(target: str | None, rule: str | None, folder: Path | None, as_json: bool) -> None:
    """List the best record of each kernel: its gain over the untuned default, and its time.

    Where nothing better was found its gain says "default". --json tells more of each record.
    """
    from tvmlcnn.records import Library

    library = Library.of(folder)
    versions = _versions()
    target = _folder_of(target, library)
    names = [name for name in library.targets() if target in (None, name)]
    found = {
        name: sorted(
            (f for f in library.records(name) if rule in (None, f.record.rule)),
            key=lambda f: (f.record.rule, f.record.workload),
        )
        for name in names
    }
    found = {name: items for name, items in found.items() if items}
    summaries = {name: _summary(items, versions) for name, items in found.items()}
    _warn(library.broken)
    if as_json:
        rows = [
            f.record.to_json()
            | {"gain": f.record.gain, "from": f.origin, "stale": f.record.is_stale(versions)}
            for items in found.values()
            for f in items
        ]
        print_json({"folder": str(library.user.folder), "records": rows, "targets": summaries})
        return
    if not found:
        click.echo(f"no such records in {library.user.folder}, and none are shipped", err=True)
        return
    for heading, table in _tables(found, versions).items():
        click.echo(heading)
        print_table(_HEADER, table)
    print_facts((name, _summary_text(summary)) for name, summary in summaries.items())


@command.command("merge")
@click.argument("sources", metavar="SOURCE...", nargs=-1, required=True, type=Path)
@records_option
@json_option
def merge(sources: tuple[Path, ...], folder: Path | None, as_json: bool) -> None:
    """Add the records in files or folders of others to yours, where they gain more."""
    from tvmlcnn.records import Store, user_folder
    from tvmlcnn.records import merge as merged

    store = Store(folder or user_folder())
    done = merged(store, sources, _versions())
    if as_json:
        print_json({"folder": str(store.folder)} | asdict(done))
        return
    print_facts(
        [
            ("folder", store.folder),
            ("new", done.new),
            ("better", f"{done.better}, in the place of yours"),
            ("kept", f"{done.kept}, where yours gain as much"),
            ("stale", f"{done.stale}, left out"),
        ]
    )


@command.command("export")
@click.argument("file", type=click.Path(path_type=Path))
@_target_option
@_rule_option
@records_option
@json_option
def export(
    file: Path, target: str | None, rule: str | None, folder: Path | None, as_json: bool
) -> None:
    """Write the best record of each kernel into FILE, for others to merge.

    With - for FILE they go to stdout, and nothing else does.
    """
    from tvmlcnn.files import is_stream
    from tvmlcnn.records import Library
    from tvmlcnn.records import export as exported

    library = Library.of(folder)
    found = exported(library, file, _versions(), _folder_of(target, library), rule)
    _warn(library.broken)
    if is_stream(file):
        return
    yours = sum(item.origin == "yours" for item in found)
    facts = {"file": str(file), "records": len(found), "yours": yours}
    facts["shipped"] = len(found) - yours
    if as_json:
        print_json(facts)
        return
    print_facts(facts.items())


@command.command("prune")
@records_option
@json_option
def prune(folder: Path | None, as_json: bool) -> None:
    """Drop what is stale, superseded or broken from your records."""
    from tvmlcnn.records import Store, user_folder
    from tvmlcnn.records import prune as pruned

    store = Store(folder or user_folder())
    done = pruned(store, _versions())
    if as_json:
        print_json({"folder": str(store.folder)} | asdict(done))
        return
    print_facts(
        [
            ("folder", store.folder),
            ("stale records", f"{done.stale} dropped"),
            ("superseded", f"{done.superseded} dropped"),
            ("stale trials", f"{done.stale_trials} dropped"),
            ("broken lines", f"{done.broken} dropped"),
            ("left", f"{done.records} records, {done.trials} trials"),
        ]
    )


def _versions() -> Mapping[str, int]:
    from tvmlcnn.records import versions

    return versions()


def _folder_of(target: str | None, library: Library) -> str | None:
    """Return what records call a target; a name that they use stands for itself."""
    if target is None or target in library.targets():
        return target
    from tvmlcnn.targets import records_name, resolve

    return records_name(resolve(target))


def _warn(broken: list[str]) -> None:
    for line in broken:
        click.echo(f"warning: {line}; skipped", err=True)


def _tables(
    found: Mapping[str, list[Found]], versions: Mapping[str, int]
) -> dict[str, list[tuple[str, ...]]]:
    """Return rows under what they have in common, for which 80 columns have no room."""
    tables: dict[str, list[tuple[str, ...]]] = {}
    for target, items in found.items():
        for item in sorted(items, key=_common):
            record = item.record
            threads = f"{record.threads} thread{'' if record.threads == 1 else 's'}"
            heading = f"{target}, {threads}, {record.dtype}, on {record.board}"
            heading += f", {item.origin}: {record.rule}"
            tables.setdefault(heading, []).append(_row(item, versions))
    return tables


def _common(found: Found) -> tuple[object, ...]:
    record = found.record
    return record.threads, record.dtype, record.board, found.origin, record.rule


def _row(found: Found, versions: Mapping[str, int]) -> tuple[str, ...]:
    record = found.record
    gain = "default" if record.is_default else f"{record.gain:.2f}"
    return (
        gain + (", stale" if record.is_stale(versions) else ""),
        f"{record.microseconds:.1f}",
        record.workload,
    )


def _summary(found: list[Found], versions: Mapping[str, int]) -> dict[str, int | float | None]:
    from tvmlcnn.records import geometric_mean

    current = [item.record for item in found if not item.record.is_stale(versions)]
    return {
        "records": len(current),
        "default": sum(record.is_default for record in current),
        "gain": geometric_mean(record.gain for record in current),
        "stale": len(found) - len(current),
    }


def _summary_text(summary: Mapping[str, int | float | None]) -> str:
    text = f"{summary['records']} records"
    if summary["default"]:
        text += f", {summary['default']} of them default"
    if summary["gain"] is not None:
        text += f", {summary['gain']:.2f} times as fast in the geometric mean"
    return text + (f", {summary['stale']} stale" if summary["stale"] else "")
