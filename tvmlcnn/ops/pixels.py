"""Kernels that move pixels: phases of transposed convolutions, frames of videos."""

from __future__ import annotations

from collections.abc import Sequence

from tvm import te, tirx
from tvm.ir import Expr


def interleave(
    data: te.Tensor,
    planes: te.Tensor,
    positions: te.Tensor,
    *,
    shape: Sequence[int],
    frames: tuple[int, int],
    steps: Sequence[int],
    crop: Sequence[int],
) -> te.Tensor:
    """Return maps whose blocks of pixels come from the channels of one pixel.

    Parameters
    ----------
    data : te.Tensor
        Shape (planes * N * frames, H, W, C).
    planes : te.Tensor
        Shape (phases,): in which plane the channels of a phase are.
    positions : te.Tensor
        Shape (phases,): where in it they begin; or (phases, C'): where each is.
    shape : sequence of int
        Of the result: (N * frames', H', W', C').
    frames : tuple of int
        Of the data and of the result.
    steps, crop : sequence of int
        Pixels of a block, and how many of the first one are left out: depth, height, width.
    """
    before, after = frames
    videos = shape[0] // after

    def pixel(n: Expr, h: Expr, w: Expr, c: Expr) -> Expr:
        depth = n % after if after > 1 else 0
        video = n // after
        phase: Expr | int = 0
        at = []
        for place, step, cut in zip((depth, h, w), steps, crop, strict=True):
            block, inside = _divided(place, step, cut)
            at.append(block)
            phase = phase * step + inside
        d, y, x = at
        row = (planes[phase] * videos + video) * before + d
        if len(positions.shape) == 1:
            return data[row, y, x, positions[phase] + c]
        return data[row, y, x, positions[phase, c]]

    return te.compute(tuple(shape), pixel, name="interleave")


def _divided(place: Expr | int, step: int, cut: int) -> tuple[Expr | int, Expr | int]:
    """Return ``place + cut``, for ``cut < step``, divided by ``step``, and the remainder.

    TVM takes ``(n % 32 + 2) % 4``, which it may make of the plain form, for ``n % 4``.
    """
    if isinstance(place, int):
        return divmod(place + cut, step)
    if step == 1:
        return place + cut, 0
    block, inside = place // step, place % step
    if not cut:
        return block, inside
    last = inside + cut >= step
    return (
        block + tirx.Select(last, tirx.const(1, place.ty.dtype), tirx.const(0, place.ty.dtype)),
        inside + tirx.Select(last, cut - step, cut),
    )


def gather_frames(
    data: te.Tensor,
    *,
    frames: tuple[int, int],
    taps: int,
    step: int,
    dilation: int,
    before: int,
    at: int,
) -> te.Tensor:
    """Return the frames around each frame, along a new axis.

    Parameters
    ----------
    data : te.Tensor
        Four axes, the frames of all videos outermost.
    frames : tuple of int
        Frames a video of the data and of the result.
    taps, step, dilation, before : int
        Frame ``d`` gets at tap ``k`` the frame ``d * step + k * dilation - before``, or zeros.
    at : int
        Where in the result's shape the new axis, of ``taps``, is.
    """
    old, new = frames
    outermost, *sizes = (int(n) for n in data.shape)
    shape = [outermost // old * new, *sizes]
    shape.insert(at, taps)

    def element(*place: Expr) -> Expr:
        frame, *rest = place
        tap = rest.pop(at - 1)
        source = frame % new * step + tap * dilation - before
        value = data(frame // new * old + source, *rest)
        last = (new - 1) * step + (taps - 1) * dilation - before
        if before <= 0 and last < old:
            return value
        inside = tirx.all(source >= 0, source < old)
        return tirx.if_then_else(inside, value, tirx.const(0.0, data.dtype))

    return te.compute(tuple(shape), element, name="frames")
