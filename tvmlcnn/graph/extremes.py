"""Extremes that no rule has a kernel of its own for: with infinities and NaN."""

from __future__ import annotations

from functools import partial

from tvm import relax

from tvmlcnn.ops.extremes import extreme, largest_of_windows, place_of_extreme

from .attributes import ints


def along_axes(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``relax.max`` or ``relax.min``."""
    (data,), kind = call.args, call.op.name.removeprefix("relax.")
    rank, axes = len(data.ty.shape), call.attrs.axis
    along = range(rank) if axes is None else sorted({axis % rank for axis in ints(axes)})
    define = partial(extreme, kind=kind, axes=list(along), keep=bool(call.attrs.keepdims))
    return builder.call_te(define, data, primfunc_name_hint=kind)


def of_windows(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``relax.nn.max_pool1d``, 2-D and 3-D alike."""
    (data,), attrs = call.args, call.attrs
    rank, first = len(attrs.pool_size), 2 if str(attrs.layout).startswith("NC") else 1
    define = partial(
        largest_of_windows,
        first=first,
        sizes=ints(call.ty.shape)[first : first + rank],
        window=ints(attrs.pool_size),
        strides=ints(attrs.strides),
        padding=ints(attrs.padding),
        dilation=ints(attrs.dilation),
    )
    return builder.call_te(define, data, primfunc_name_hint=call.op.name.rpartition(".")[2])


def places(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``relax.argmax`` or an argmin."""
    (data,), kind = call.args, call.op.name.removeprefix("relax.arg")
    axis, keep = int(call.attrs.axis) % len(data.ty.shape), bool(call.attrs.keepdims)
    define = partial(place_of_extreme, kind=kind, axis=axis, keep=keep)
    return builder.call_te(define, data, primfunc_name_hint=f"arg{kind}")


DEFINED = {
    **dict.fromkeys(("relax.max", "relax.min"), along_axes),
    **dict.fromkeys(("relax.argmax", "relax.argmin"), places),
    **{f"relax.nn.max_pool{n}d": of_windows for n in (1, 2, 3)},
}
"""By the name of the operator."""
