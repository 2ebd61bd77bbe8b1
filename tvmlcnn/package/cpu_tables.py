"""Calls of a CPU's kernels as tables in C, for `tvmlcnn/runtime/c/cpu.h`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .flat_program import FlatProgram
from .kernel_code import SYMBOL
from .program_source import CallTables, table, text


def cpu_tables(
    programs: Sequence[FlatProgram], features: Sequence[str], threads: int | None, scratch: int
) -> CallTables:
    """Return the tables of calls.

    Parameters
    ----------
    programs : sequence of FlatProgram
    features : sequence of str
        Linux's names of what the processor must have.
    threads : int, optional
        Threads that the file is compiled for.
    scratch : int
        Bytes that a thread needs inside of a kernel.
    """
    kernels = sorted({call.function for program in programs for call in program.calls})
    lines = [
        '#include "cpu.h"',
        "",
        *(f"Kernel {SYMBOL}{name};" for name in kernels),
        *table("char *const", "features", [*map(text, features), "0"]),
        f"const CpuCode tvmlcnn_cpu = {{{threads or 0}, {scratch}, features}};",
    ]
    places = [[place for call in each.calls for place in call.arguments] for each in programs]
    return CallTables(
        lines,
        places,
        [_calls(program) for program in programs],
        max((program.workspace for program in programs), default=0),
    )


def _calls(program: FlatProgram) -> list[str]:
    firsts = np.cumsum([0, *(len(call.arguments) for call in program.calls)])
    return [
        f"{{{SYMBOL}{call.function}, {first}}}"
        for call, first in zip(program.calls, firsts[:-1], strict=True)
    ]
