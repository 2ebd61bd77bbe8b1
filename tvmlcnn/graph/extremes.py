"""Extremes and their places in Relax, defined in TE where no rule has a kernel for them."""

from __future__ import annotations

from tvm import relax, te

from tvmlcnn import ops


def extreme(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes a ``relax.max`` or a ``relax.min``."""
    rank, given = len(call.args[0].ty.shape), call.attrs.axis
    axes = list(range(rank)) if given is None else sorted(int(axis) % rank for axis in given)
    kind = call.op.name.removeprefix("relax.")

    def function(data: te.Tensor) -> te.Tensor:
        return ops.extreme(data, kind=kind, axes=axes, keep=bool(call.attrs.keepdims))

    return builder.call_te(function, call.args[0], primfunc_name_hint=kind)


def place_of_extreme(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes a ``relax.argmax`` or an argmin, of one axis."""
    axis = int(call.attrs.axis) % len(call.args[0].ty.shape)
    kind = call.op.name.removeprefix("relax.arg")

    def function(data: te.Tensor) -> te.Tensor:
        return ops.place_of_extreme(data, kind=kind, axis=axis, keep=bool(call.attrs.keepdims))

    return builder.call_te(function, call.args[0], primfunc_name_hint=f"arg{kind}")
