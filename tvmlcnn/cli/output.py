"""Printing results: JSON or a table on stdout."""

from __future__ import annotations

import json
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
    """Print one JSON object."""
    click.echo(json.dumps(data, indent=2, ensure_ascii=False))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Print names and values, a line each, the values in one column."""
    table = Table.grid(padding=(0, 2))
    for name, value in facts:
        table.add_row(name, str(value))
    _print(table)


def print_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print rows under a header; columns of numbers are aligned at the right."""
    cells = [[str(cell) for cell in row] for row in rows]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for index, name in enumerate(header):
        numeric = all(_NUMBER.fullmatch(row[index]) for row in cells)
        table.add_column(name, justify="right" if numeric else "left")
    for row in cells:
        table.add_row(*row)
    _print(table)


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


def records_fact(records: Mapping[str, int] | None) -> list[tuple[str, str]]:
    """Return about how many kernels records of tuning decide, where any could have one."""
    if not records or not records["of"]:
        return []
    counts = [f"{count} {name}" for name, count in records.items() if name != "of"]
    return [("records", f"{', '.join(counts)}, of {records['of']} kernels")]


def quantization_facts(quantization: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return how a network was quantized, and what that did to its results."""
    if not quantization:
        return []
    found = quantization["fidelity"]
    shares = [
        f"best class {found[key]:.1%} {where}"
        for key, where in (("top1", "the same"), ("top5", "among five"))
        if found[key] is not None
    ]
    noise = ", ".join(f"{ratio:.1f}" for ratio in found["snr"].values())
    facts = [
        (
            quantization["dtype"],
            f"calibrated with {quantization['examples']} inputs from {quantization['calibration']}",
        ),
        (
            "fidelity",
            f"{'; '.join([*shares, f'signal to noise {noise} dB'])} "
            f"({found['examples']} other inputs, against float32)",
        ),
        ("worst layers", ", ".join(f"{name} {ratio:.1f} dB" for name, ratio in found["worst"])),
    ]
    if quantization["kept"]:
        facts.append(("float32 layers", ", ".join(quantization["kept"])))
    return facts


def _print(table: Table) -> None:
    console = Console(highlight=False, markup=False)
    # A pipe has no width; wrapping would break lines that other programs read.
    width = console.width if console.is_terminal else 10_000
    for line in console.render_lines(table, console.options.update(width=width), pad=False):
        click.echo("".join(segment.text for segment in line).rstrip())
