"""Extremes that no rule has a kernel of its own for: defined as TVM does, but of infinities too."""

from __future__ import annotations

from functools import partial

from tvm import relax

from tvmlcnn.ops.extremes import extremum, largest_of_windows

from .attributes import ints


def along_axes(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call:
    """Return the call of a function that computes ``relax.max`` or ``relax.min``."""
    (data,), kind = call.args, call.op.name.removeprefix("relax.")
    rank, axes = len(data.ty.shape), call.attrs.axis
    along = range(rank) if axes is None else sorted({axis % rank for axis in ints(axes)})
    define = partial(extremum, kind=kind, axes=list(along), keep=bool(call.attrs.keepdims))
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


DEFINED = {
    **dict.fromkeys(("relax.max", "relax.min"), along_axes),
    **{f"relax.nn.max_pool{n}d": of_windows for n in (1, 2, 3)},
}
"""By the name of the operator."""
