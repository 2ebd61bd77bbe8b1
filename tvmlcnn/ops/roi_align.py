"""The alignment of regions: means of maps over their bins."""

from __future__ import annotations

import itertools
from typing import Any

from tvm import te, tirx
from tvm.ir import Expr

from tvmlcnn.targets import FLOAT32

from .taps import Tap, bounded, f32, kept, sampled


def roi_align(
    data: te.Tensor,
    regions: te.Tensor,
    sizes: tuple[int, int],
    scale: float,
    bins: tuple[int, int],
    samples: int,
    aligned: bool,
    gpu: bool,
) -> list[te.Tensor]:
    """Return means of the maps over the bins of regions, as ``torchvision.ops.roi_align`` does.

    Parameters
    ----------
    data : te.Tensor
        Shape (N, H * W, C), float32.
    regions : te.Tensor
        Shape (K, 5), float32: number of the image, x1, y1, x2, y2.
    sizes : tuple of int
        H and W.
    scale : float
        Of the regions' coordinates to the maps'.
    bins : tuple of int
        Rows and columns of them.
    samples : int
        Along each axis of a bin.
    aligned, gpu : bool

    Returns
    -------
    list of te.Tensor
        One, of the shape (K, rows * columns, C).
    """
    images, _, channels = (int(n) for n in data.shape)
    number, (bins_down, bins_across) = int(regions.shape[0]), bins
    half = 0.5 if aligned else 0.0

    def taps(region: Any, row: Expr, point: Expr) -> list[Tap]:
        def along(axis: int, place: Expr, count: int, extent: int) -> list[list[Tap]]:
            start = kept(region[row, 1 + axis] * f32(scale) - f32(half))
            length = region[row, 3 + axis] * f32(scale) - f32(half) - start
            length = length if aligned else tirx.max(length, f32(1))
            step = kept(length / f32(count))
            at = kept(start + tirx.Cast(FLOAT32.name, place) * step)
            return [
                _clamped_pair(at + f32(i + 0.5) * step / f32(samples), extent)
                for i in range(samples)
            ]

        down = along(1, point // bins_across, bins_down, sizes[0])
        across = along(0, point % bins_across, bins_across, sizes[1])
        share = f32(1 / samples**2)
        return [
            Tap(
                (y.place[0], x.place[0]),
                y.weight * x.weight * share,
                tirx.all(y.inside, x.inside),
            )
            for rows_, columns in itertools.product(down, across)
            for y, x in itertools.product(rows_, columns)
        ]

    def image_of(region: Any, row: Expr) -> Expr:
        number = tirx.Cast("int32", region[row, 0])
        return tirx.max(tirx.min(number, images - 1), 0)

    shape = number, bins_down * bins_across, channels
    return sampled(data, regions, shape, sizes, taps, image_of, gpu)


def _clamped_pair(at: Expr, size: int) -> list[Tap]:
    """Return the two taps of linear interpolation as roi_align has them at the borders."""
    at = kept(at)
    inside = kept(tirx.all(at >= f32(-1), at <= f32(size)), "int32")
    at = kept(bounded(at, 0, size - 1))
    low = kept(at, "int32")
    part = kept(at - tirx.Cast(FLOAT32.name, low))
    high = kept(tirx.min(low + 1, size - 1), "int32")
    return [Tap((low,), f32(1) - part, inside != 0), Tap((high,), part, inside != 0)]
