"""Calls of kernels in a graph: making them from plans, and what is noted of them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import tvm
from tvm import relax

from tvmlcnn import schedules

from .constants import constant, is_call_of

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution
_ABSORBED, _CALLS = "tvmlcnn.absorbed", "tvmlcnn.calls"


def call_of(
    builder: relax.BlockBuilder,
    plan: schedules.Plan,
    data: Sequence[relax.Expr],
    beside: Sequence[relax.Expr] = (),
) -> relax.Call | None:
    """Return the call of the function that a plan defines, or None where it leaves that to TVM.

    Parameters
    ----------
    builder : relax.BlockBuilder
    plan : Plan
        It becomes an attribute of the function.
    data, beside : sequence of relax.Expr
        What the kernel takes before and after its constants.
    """
    if plan.definition is None:
        return None
    definition = plan.definition()
    attrs: dict[str, Any] = {schedules.ATTRIBUTE: schedules.to_text(plan)}
    if definition.takes_epilogue:
        attrs["op_pattern"] = _OUT_ELEMENTWISE_FUSABLE
    return builder.call_te(
        definition.define,
        *data,
        *map(constant, definition.constants),
        *beside,
        primfunc_name_hint=definition.name,
        primfunc_attrs=attrs,
    )


def is_kernel_call(expr: relax.Expr) -> bool:
    """Tell whether an expression calls a TensorIR function."""
    return is_call_of(expr, "relax.call_tir") or is_call_of(expr, "relax.call_tir_inplace")


def note_absorbed(mod: tvm.IRModule, absorbed: dict[str, list[str]]) -> tvm.IRModule:
    """Note the names of variables whose work a call of a kernel does along with its own."""
    return mod.with_attr(_ABSORBED, json.dumps(absorbed))


def absorbed_in(mod: tvm.IRModule) -> dict[str, list[str]]:
    """Return what `note_absorbed` noted."""
    return dict(json.loads(str(mod.attrs.get(_ABSORBED, "{}"))))


def note_calls(mod: tvm.IRModule, calls: list[dict[str, Any]]) -> tvm.IRModule:
    """Note the calls of kernels, for `kernel_calls`."""
    return mod.with_attr(_CALLS, json.dumps(calls))


def kernel_calls(mod: tvm.IRModule) -> list[dict[str, Any]]:
    """Return the calls of kernels that `tvmlcnn.passes.list_kernel_calls` noted.

    Returns
    -------
    list of dict
        In the order in which they run: ``function``, the name of the kernel; ``layers``, the names
        of the torch module's layers that it computes; ``bindings``, those of the graph's bindings
        that became it, as they are called from the import on; ``flops``, their floating point
        operations (`tvmlcnn.passes.count_flops`); ``bytes``, the size of its arguments and results;
        ``element``, the type that it multiplies.
    """
    return list(json.loads(str(mod.attrs[_CALLS])))
