"""Calls of a GPU's kernels as tables in C, for `tvmlcnn/runtime/c/cuda.h`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from .cuda_compiler import Compiler
from .elf_object import ALIGNMENT
from .flat_program import Base, Call, FlatProgram, Place
from .launches import GpuFunction, Launch
from .program_source import CallTables, table, text


def cuda_tables(
    programs: Sequence[FlatProgram],
    functions: Mapping[str, GpuFunction],
    code: Sequence[str],
    compiler: Compiler,
) -> CallTables:
    """Return the tables of calls, each of which is some launches.

    Parameters
    ----------
    programs : sequence of FlatProgram
    functions : mapping of str to GpuFunction
        What each call of a function does.
    code : sequence of str
        What the file's image is for.
    compiler : Compiler
    """
    called = sorted({call.function for program in programs for call in program.calls})
    launches = [launch for name in called for launch in functions[name].launches]
    kernels = {launch.kernel: number for number, launch in enumerate(launches)}
    lines = [
        '#include "cuda.h"',
        "",
        *table("GpuKernel", "kernels", list(map(_kernel, launches))),
        f"const CudaCode tvmlcnn_cuda = {{kernels, {len(launches)}, "
        f"{text(', '.join(code))}, {text(str(compiler))}}};",
    ]
    places: list[list[Place]] = []
    calls: list[list[str]] = []
    workspace = 0
    for number, program in enumerate(programs):
        own: list[Place] = []
        rows, ends = [], [0]
        for call in program.calls:
            function = functions[call.function]
            tensors, end = _tensors(call, function, program.workspace)
            workspace = max(workspace, end)
            for launch in function.launches:
                rows.append(f"{{{kernels[launch.kernel]}, {len(own)}}}")
                own += [tensors[index] for index in launch.tensors]
            ends.append(len(rows))
        lines += table("Launch", f"launches_{number}", rows)
        places.append(own)
        calls.append(
            [f"{{launches_{number} + {first}, {end - first}}}" for first, end in pairwise(ends)]
        )
    return CallTables(lines, places, calls, workspace)


def _kernel(launch: Launch) -> str:
    grid, block = (f"{{{', '.join(map(str, each))}}}" for each in (launch.grid, launch.block))
    return f"{{{text(launch.kernel)}, {grid}, {block}, {launch.shared}, {launch.early:d}}}"


def _tensors(call: Call, function: GpuFunction, workspace: int) -> tuple[list[Place], int]:
    """Return where the tensors of a call lie, its scratch behind the workspace, and their end."""
    sizes = [-(-size // ALIGNMENT) * ALIGNMENT for size in (workspace, *function.scratch)]
    *begins, end = (int(offset) for offset in np.cumsum(sizes))
    return [*call.arguments, *(Place(Base.WORKSPACE, 0, begin) for begin in begins)], end
