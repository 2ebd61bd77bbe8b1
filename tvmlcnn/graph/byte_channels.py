"""Channels of bytes that lie scattered, brought together.

Kernels that multiply several bytes at a time read them as they lie: what costs float32 nothing, a
table of where each channel is, they cannot use. Moving bytes is cheap, if few are moved at a time
that lie far apart. A GPU gets weights in the order in which the bytes lie.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import tvm

from tvmlcnn import ops
from tvmlcnn.ops.shuffle import LANES

from .concatenate import aligned
from .permuted import NHWC, OPAQUE, Permuted
from .rewriter import Rewriter


def is_scattered(value: Permuted) -> bool:
    """Tell whether channels of bytes lie neither together, nor together in each plane."""
    if value.places is None or tvm.DataType(str(value.expr.ty.dtype)).itemsize > 1:
        return False
    if value.order != NHWC:
        return False
    breaks = np.count_nonzero(np.diff(value.places) != 1)
    return bool(breaks >= 2 * value.planes)


def gathered(rewriter: Rewriter, value: Permuted) -> Permuted:
    """Return a value, brought together where it is of bytes that lie scattered."""
    moved = rewriter.device.shuffles_bytes and is_scattered(value)
    return together(rewriter, value) if moved else value


def together(rewriter: Rewriter, value: Permuted) -> Permuted:
    """Return NHWC bytes with their channels together in one plane, and zeros after the last.

    There are as many zeros as make a vector, or a plane that can be followed by another.
    """
    able = rewriter.device.shuffles_bytes
    if not able or value.places is None or value.order != NHWC or value.shape[3] < LANES:
        return rewriter.compact(value)
    return rewriter.once(_shuffled, value)


def _shuffled(rewriter: Rewriter, value: Permuted) -> Permuted:
    assert value.places is not None
    count, (height, width) = len(value.places), value.shape[1:3]
    unit = LANES if height * width * LANES % aligned(value.expr) == 0 else aligned(value.expr)
    places = np.pad(value.places, (0, -count % unit), constant_values=-1)
    made = rewriter.builder.call_te(
        partial(ops.shuffle, places=places, batch=value.batch),
        value.expr,
        primfunc_name_hint="gather_channels",
        primfunc_attrs={"op_pattern": OPAQUE},
    )
    return Permuted(rewriter.builder.emit(made), NHWC).at(np.arange(count))
