"""Operators that move pixels, of channels-last tensors."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from tvm import relax

from tvmlcnn import ops

from .attributes import ints
from .constants import constant, value_of
from .permuted import NHWC, OPAQUE, Permuted
from .rewriter import Rewriter


def interleave(rewriter: Rewriter, call: relax.Call) -> Permuted:
    """Move phases from the channels to the pixels, from where they are."""
    data, table = rewriter.nhwc(call.args[0]), value_of(call.args[1])
    assert table is not None
    attrs = call.attrs
    (batch, channels, height, width), frames = ints(attrs["shape"]), ints(attrs["frames"])
    flat = [0] * (3 - len(attrs["steps"]))  # maps that are no videos have no depth
    located = data.located()[table]
    planes, positions = np.divmod(located, data.shape[3])
    together = np.array_equal(located, located[:, :1] + np.arange(channels))
    if not (together and np.array_equal(planes, planes[:, :1] + 0 * planes)):
        together = False
        data = rewriter.compact(data)
        planes, positions = np.zeros_like(table), table
    define = partial(
        ops.interleave,
        shape=(batch, height, width, channels),
        frames=(frames[0], frames[1]),
        steps=[1 for _ in flat] + ints(attrs["steps"]),
        crop=flat + ints(attrs["crop"]),
    )
    result = rewriter.builder.call_te(
        define,
        data.expr,
        constant(planes[:, 0].astype(np.int32)),
        constant((positions[:, 0] if together else positions).astype(np.int32)),
        primfunc_name_hint="interleave",
    )
    return Permuted(rewriter.builder.emit(result), NHWC)


def gather_frames(rewriter: Rewriter, call: relax.Call) -> Permuted:
    """Copy the frames around each; a network's few input channels stay where they are."""
    attrs, data = call.attrs, rewriter.value(call.args[0])
    shape, rows = ints(attrs["shape"]), bool(attrs["rows"])
    plain = data.plain and data.shape[1] < rewriter.unit(call) and not rows
    if not plain:
        data = rewriter.nhwc(call.args[0])
        data = data if data.planes == 1 else rewriter.compact(data)
    taps, old, wide = int(attrs["taps"]), int(attrs["frames"]), data.shape[3]
    define = partial(
        ops.gather_frames,
        frames=(old, shape[0] // (data.shape[0] // old)),
        taps=taps,
        step=int(attrs["step"]),
        dilation=int(attrs["dilation"]),
        before=int(attrs["before"]),
        at=1 if plain else 2 if rows else 3,
    )
    # Fused with the reshape that follows, the kernel would divide for each element.
    gathered = rewriter.builder.call_te(
        define, data.expr, primfunc_name_hint="frames", primfunc_attrs={"op_pattern": OPAQUE}
    )
    gathered = rewriter.builder.emit(gathered)
    if plain:
        return Permuted(rewriter.builder.emit(relax.op.reshape(gathered, shape)), (0, 1, 2, 3))
    stored = [shape[0], shape[2], shape[3], wide if rows else taps * wide]
    result = Permuted(rewriter.builder.emit(relax.op.reshape(gathered, stored)), NHWC)
    if data.places is None:
        return result
    if rows:
        return replace(result, places=data.places)
    return result.at(np.concatenate([k * wide + data.places for k in range(taps)]))


def regroup(rewriter: Rewriter, call: relax.Call) -> Permuted:
    """View the pixels as maps of another size."""
    data = rewriter.nhwc(call.args[0])
    data = data if data.planes == 1 else rewriter.compact(data)
    batch, _, height, width = ints(call.attrs["shape"])
    view = relax.op.reshape(data.expr, (batch, height, width, data.shape[3]))
    return replace(data, expr=rewriter.builder.emit(view))
