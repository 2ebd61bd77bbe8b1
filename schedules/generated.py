"""Kernels that no rule claims, scheduled by the trace that a search found."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import tvm_ffi
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import Trace
from tvm.tirx import PrimFunc

from .decisions import Decisions


def kernel_name(function: PrimFunc) -> str:
    """Return what records of tuning call a function: a digest of its structure."""
    digest = tvm_ffi.structural_hash(PrimFunc(function.params, function.body)) & (2**64 - 1)
    return f"kernel {digest:016x}"


def tuned(sch: Schedule, decisions: Decisions) -> Schedule | None:
    """Return the tuned schedule of a function where nothing was done yet, or None without one.

    MetaSchedule's generated space (what Ansor was) is searched by `tvmlcnn.tuning`; applying a
    trace that it found needs no more than TensorIR.
    """
    trace = decisions.trace()
    if trace is None:
        return None
    try:
        return applied(trace, sch.copy())
    except Exception:  # TVM raises many types
        decisions.reject("trace")
        return None


def portable(trace: Any, sch: Schedule) -> Any:
    """Return a trace, as JSON, in which blocks are numbered.

    Parameters
    ----------
    trace : list
        Of a schedule of the function, as JSON.
    sch : Schedule
        Of the function, where nothing was done yet.

    Names of blocks come from the network around, and are no part of what `kernel_name` tells
    apart. What a schedule makes of a block has its name and an ending.
    """
    names = sorted(enumerate(_blocks(sch)), key=lambda pair: -len(pair[1]))

    def numbered(name: str) -> str:
        for number, block in names:
            if name == block or name.startswith(f"{block}_"):
                return f"#{number}{name[len(block) :]}"
        return name

    return _renamed(trace, numbered)


def applied(trace: Any, sch: Schedule) -> Schedule:
    """Return the schedule after it went the way of a portable trace."""
    names = _blocks(sch)

    def named(name: str) -> str:
        return re.sub(r"^#(\d+)", lambda found: names[int(found[1])], name)

    Trace.apply_json_to_schedule(_renamed(trace, named), sch)
    return sch


def _blocks(sch: Schedule) -> list[str]:
    return [str(sch.get(b).name_hint) for b in sch.get_child_blocks(sch.get_sblock("root"))]


def _renamed(trace: Any, rename: Callable[[str], str]) -> Any:
    steps, choices = trace
    return [
        [
            [kind, inputs, [rename(attrs[0]), *attrs[1:]] if kind == "GetSBlock" else attrs, *rest]
            for kind, inputs, attrs, *rest in steps
        ],
        choices,
    ]
