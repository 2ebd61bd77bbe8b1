"""A network's programs as tables in C, for `tvmlcnn/runtime/c/program.h`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from tvmlcnn.runtime.manifest import TensorSpec

from .flat_program import Base, FlatProgram, Place


@dataclass(frozen=True)
class CallTables:
    """How programs call kernels, in C.

    Attributes
    ----------
    lines : list of str
        What comes before the programs: includes, declarations, tables.
    places : list of list of Place
        Of each program, the arguments of its kernels.
    calls : list of list of str
        Of each program, the rows of its table of calls.
    workspace : int
        Bytes that the program takes which needs most.
    """

    lines: list[str]
    places: list[list[Place]]
    calls: list[list[str]]
    workspace: int


def program_source(
    tables: CallTables,
    programs: Sequence[FlatProgram],
    inputs: Sequence[Sequence[TensorSpec]],
    outputs: Sequence[Sequence[TensorSpec]],
    weight_offsets: Sequence[int],
) -> str:
    """Return the source of a network's tables.

    Parameters
    ----------
    tables : CallTables
    programs : sequence of FlatProgram
    inputs, outputs : sequence of sequence of TensorSpec
        Of each program.
    weight_offsets : sequence of int
        Where each weight lies in its section.
    """
    lines, rows = list(tables.lines), []
    for number, program in enumerate(programs):
        places, calls = tables.places[number], tables.calls[number]
        copies = [
            f"{{{_place(copy.source, weight_offsets)}, {copy.output}, {copy.bytes}}}"
            for copy in program.copies
        ]
        lines += _tensors(f"inputs_{number}", inputs[number])
        lines += _tensors(f"outputs_{number}", outputs[number])
        lines += table("Place", f"places_{number}", [_place(p, weight_offsets) for p in places])
        lines += table("Call", f"calls_{number}", calls)
        lines += table("Copy", f"copies_{number}", copies)
        names = ("inputs", "outputs", "places", "calls", "copies")
        counts = (len(inputs[number]), len(outputs[number]), len(places), len(calls), len(copies))
        fields = [*(f"{name}_{number}" for name in names), *map(str, counts)]
        rows.append(f"{{{', '.join(fields)}}}")
    lines += table("Program", "programs", rows)
    lines.append(
        f"const Network tvmlcnn_network = {{programs, {len(programs)}, {tables.workspace}}};"
    )
    return "\n".join(lines) + "\n"


def _tensors(name: str, specs: Sequence[TensorSpec]) -> list[str]:
    lines, rows = [], []
    for index, spec in enumerate(specs):
        shape = f"{name}_{index}"
        lines += table("int64_t", shape, [str(extent) for extent in spec.shape])
        size = math.prod(spec.shape) * np.dtype(spec.dtype).itemsize
        fields = (text(spec.name), text(spec.dtype), len(spec.shape), shape, size)
        rows.append(f"{{{', '.join(map(str, fields))}}}")
    return lines + table("tvmlcnn_tensor", name, rows)


def table(kind: str, name: str, rows: Sequence[str]) -> list[str]:
    """Return an array; C has none without elements."""
    return [f"static const {kind} {name}[] = {{", *(f"    {row}," for row in rows or ["0"]), "};"]


def text(string: str) -> str:
    """Return a string literal; every byte that is no letter or digit is written as a number."""
    return (
        '"'
        + "".join(chr(b) if chr(b).isalnum() and b < 128 else f"\\{b:03o}" for b in string.encode())
        + '"'
    )


def _place(place: Place, weight_offsets: Sequence[int]) -> str:
    if place.base is Base.WEIGHTS:
        return f"{{WEIGHTS, 0, {weight_offsets[place.index] + place.offset}}}"
    return f"{{{place.base.name}, {place.index}, {place.offset}}}"
