"""Convolutions that multiply one channel at a time, wherever the channels lie."""

from __future__ import annotations

from functools import partial

from tvmlcnn import ops

from .channel_places import planes_of, table
from .layer import Convolution
from .rule import Definition


def plain_convolution(layer: Convolution, tile: ops.Tile) -> Definition:
    """Return the definition of any convolution, but those of codes, as the rows of a matrix.

    Parameters
    ----------
    layer : Convolution
    tile : tvmlcnn.ops.Tile
        Whose channels are of one group, and lie together in the weights.
    """
    *kernel, inner, outer = layer.weight.shape
    planes, inner, reads = planes_of(layer)
    kernel = ([] if kernel == [1, 1] else kernel) + [planes] * (planes > 1)
    tables = [table(reads, layer.data, layer.shape[0], layer.window)] if len(reads) else []
    define = partial(
        ops.dense,
        shape=layer.shape,
        window=layer.window,
        tile=tile,
        planes=planes,
        table=bool(tables),
        channels_first=layer.channels_first,
        prologue=ops.chain(layer.prologue) if layer.prologue else None,
        groups=layer.groups,
        sums=layer.sums,
    )
    packed = ops.pack(layer.weight.reshape(*kernel, inner, outer), tile)
    return Definition(define, [packed, *tables])
