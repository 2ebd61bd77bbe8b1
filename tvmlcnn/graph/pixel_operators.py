"""Operators of our own that move pixels: what convolutions of other ranks are made of.

They are said of channels-first maps, ``(N, C, H, W)``, or ``(N, C, *sizes)`` of any rank where
phases are interleaved; `tvmlcnn.graph.pixel_moves` has their kernels.

``tvmlcnn.interleave(data, table, ...)``
    Pixels from channels. Each pixel of a map holds a block of ``steps`` pixels of the result, the
    phases: phase ``f`` of its channel ``o`` is the channel ``table[f, o]``. The result begins
    ``crop`` pixels after the first.
``tvmlcnn.gather_frames(data, ...)``
    The frames around each frame, for ``taps`` of a kernel in depth. The data's outermost axis are
    ``frames`` of each video. The frames become channels, those of the first tap first, or with
    ``rows`` take turns in the height: row ``h * taps + k`` is row ``h`` of the frame at tap ``k``.
``tvmlcnn.regroup(data, ...)``
    The same channels of the same pixels, counted by batch, row and column, in maps of another
    size. Of channels-last data it is a view.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Op

from .constants import constant
from .operators import register

INTERLEAVE = "tvmlcnn.interleave"
GATHER_FRAMES = "tvmlcnn.gather_frames"
REGROUP = "tvmlcnn.regroup"


def _type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return relax.TensorType([int(n) for n in call.attrs["shape"]], call.args[0].ty.dtype)


register(INTERLEAVE, "Pixels from channels.", _type)
register(GATHER_FRAMES, "Frames around each frame.", _type)
register(REGROUP, "Maps of another size.", _type)


def _call(name: str, args: Sequence[relax.Expr], **attrs: Any) -> relax.Call:
    return relax.Call(Op.get(name), list(args), tvm.ir.make_node("ir.DictAttrs", **attrs))


def interleave(
    data: relax.Expr,
    table: np.ndarray,
    shape: Sequence[int],
    steps: Sequence[int],
    crop: Sequence[int],
    frames: Sequence[int] = (1, 1),
) -> relax.Call:
    """Return a call of ``tvmlcnn.interleave``.

    Parameters
    ----------
    data : relax.Expr
        Shape (N, C, *sizes).
    table : numpy.ndarray
        Shape (product of ``steps``, channels of the result); the last axis' phases come fastest.
    shape : sequence of int
        Of the result: (N, C', *sizes').
    steps, crop : sequence of int
        By axis of the maps.
    frames : sequence of int
        Where the outermost axis are frames, and depth the first of the steps: how many of each
        video there are before and after.
    """
    lists = {"shape": shape, "steps": steps, "crop": crop, "frames": frames}
    attrs = {name: [int(n) for n in values] for name, values in lists.items()}
    return _call(INTERLEAVE, [data, constant(table.astype(np.int32))], **attrs)


def gather_frames(
    data: relax.Expr,
    frames: int,
    shape: Sequence[int],
    taps: int,
    step: int,
    dilation: int,
    before: int,
    rows: bool,
) -> relax.Call:
    """Return a call of ``tvmlcnn.gather_frames``.

    Parameters
    ----------
    data : relax.Expr
        Shape (N * frames, C, H, W).
    frames : int
    shape : sequence of int
        Of the result: (N * frames', taps * C, H, W), or with ``rows`` (N * frames', C, H * taps,
        W).
    taps, step, dilation, before : int
        Frame ``d`` of the result gets at tap ``k`` the frame ``d * step + k * dilation - before``,
        or zeros.
    rows : bool
    """
    numbers = {"frames": frames, "taps": taps, "step": step, "dilation": dilation}
    return _call(
        GATHER_FRAMES,
        [data],
        **{name: int(value) for name, value in numbers.items()},
        before=int(before),
        rows=rows,
        shape=[int(n) for n in shape],
    )


def regroup(data: relax.Expr, shape: Sequence[int]) -> relax.Call:
    """Return a call of ``tvmlcnn.regroup``, of the shape (N', C, H', W')."""
    return _call(REGROUP, [data], shape=[int(n) for n in shape])
