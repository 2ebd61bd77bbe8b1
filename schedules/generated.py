"""Kernels that no rule claims, scheduled by the trace that a search found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import tvm_ffi
from tvm.s_tir import Schedule
from tvm.s_tir.schedule import Trace
from tvm.tirx import PrimFunc

from .decisions import Chosen, Policy


def kernel_name(function: PrimFunc) -> str:
    """Return what records of tuning call a function: a digest of its structure."""
    digest = tvm_ffi.structural_hash(PrimFunc(function.params, function.body)) & (2**64 - 1)
    return f"kernel {digest:016x}"


def scheduled(function: PrimFunc, policy: Policy) -> Schedule | None:
    """Return the tuned schedule of a function, or None where there is none.

    MetaSchedule's generated space (what Ansor was) is searched by `tvmlcnn.tuning`; applying a
    trace that it found needs no more than TensorIR.
    """
    decisions = policy.of("default", kernel_name(function))
    trace: Mapping[str, Any] | None = decisions.trace()
    if trace is None:
        return None
    sch = Schedule(function)
    try:
        Trace.apply_json_to_schedule(trace, sch)
    except Exception:  # TVM raises many types
        assert isinstance(decisions, Chosen), "only what is written down has a trace"
        decisions.misfits.add("trace")
        return None
    return sch
