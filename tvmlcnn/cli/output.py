"""Printing results: JSON or a table on stdout."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table

_NUMBER = re.compile(r"[-\d.,]*%?")

json_option = click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object on stdout."
)


def print_json(data: Any) -> None:
    """Print one JSON object; what is no finite number, which JSON does not have, is null."""
    click.echo(json.dumps(_finite(data), indent=2, ensure_ascii=False, allow_nan=False))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, a line each, the values in one column."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts:
        table.add_row(name, str(value))
    _print(table)


def print_table(
    header: Sequence[str], rows: Iterable[Sequence[object]], spare: Sequence[str] = ()
) -> None:
    """Print rows under a header; columns of numbers are aligned at the right.

    A terminal that is too narrow for them gets less space between columns, then fewer of them, and
    then its last column in several lines. Nothing is cut.

    Parameters
    ----------
    header : sequence of str
    rows : iterable of sequence
    spare : sequence of str
        Columns that are left out where there is no room, the first one first.
    """
    cells = [[str(cell) for cell in row] for row in rows]
    console = _console()
    without = [name for name in spare if name in header]
    forms = [((), True), *((without[:count], False) for count in range(len(without) + 1))]
    for left_out, wide in forms:
        table = _table(header, cells, left_out, wide)
        if _width(console, table) <= _room(console):
            break
    _print(table)
    if left_out:
        names = ", ".join(left_out)
        click.echo(f"no room for {names}: --json has all, and a wider terminal", err=True)


def _table(
    header: Sequence[str], rows: Sequence[Sequence[str]], without: Sequence[str], wide: bool
) -> Table:
    form: Any = {} if wide else {"show_edge": False, "padding": (0, 1, 0, 0)}
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, **form)
    shown = [index for index, name in enumerate(header) if name not in without]
    for index in shown:
        numeric = all(_NUMBER.fullmatch(row[index]) for row in rows)
        table.add_column(
            header[index],
            justify="right" if numeric else "left",
            no_wrap=index != shown[-1],
            overflow="fold",
        )
    for row in rows:
        table.add_row(*(row[index] for index in shown))
    return table


def layers_text(layers: Sequence[str], function: str) -> str:
    """Return the layers of a kernel in short: a path they begin with once, ``features.3.{0,1}``.

    A kernel of no layer is told by its function's name, in parentheses.
    """
    if not layers:
        return f"({function})"
    groups: dict[str, list[str]] = {}
    for layer in layers:
        parent, dot, name = layer.rpartition(".")
        groups.setdefault(parent + dot, []).append(name)
    return " + ".join(
        parent + (names[0] if len(names) == 1 else "{" + ",".join(names) + "}")
        for parent, names in groups.items()
    )


def _finite(data: Any) -> Any:
    if isinstance(data, float):
        return data if math.isfinite(data) else None
    if isinstance(data, Mapping):
        return {key: _finite(value) for key, value in data.items()}
    return [_finite(value) for value in data] if isinstance(data, list | tuple) else data


def _console() -> Console:
    return Console(highlight=False, markup=False)


def _room(console: Console) -> int:
    # A pipe has no width; wrapping would break lines that other programs read.
    return console.width if console.is_terminal else 10_000


def _width(console: Console, table: Table) -> int:
    """Return how wide a table is in which nothing is wrapped."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def _print(table: Table) -> None:
    console = _console()
    for line in console.render_lines(
        table, console.options.update(width=_room(console)), pad=False
    ):
        click.echo("".join(segment.text for segment in line).rstrip())
