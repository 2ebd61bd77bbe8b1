"""Pooling, as kernels define it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from tvmlcnn import ops

from .layer import Pool
from .rule import Definition

GLOBAL, WINDOWS = "global_average", "pool"
"""The blocks that sum up whole maps, and that reduce windows."""


def pool_definition(layer: Pool, levels: Sequence[int] | None = None) -> Definition:
    """Return the definition of pooling.

    Parameters
    ----------
    layer : Pool
    levels : sequence of int, optional
        Steps of each level of the sum over a whole map, the innermost first.
    """
    if layer.kind == "global average":
        keep = len(layer.shape) == 4
        return Definition(partial(ops.global_average, keep=keep, levels=levels), name="pool")
    define = partial(
        ops.max_pool if layer.kind == "max" else ops.average_pool,
        size=layer.shape[1:3],
        window=layer.size,
        strides=layer.strides,
        padding=layer.padding,
    )
    if layer.kind == "average":
        define = partial(define, count_include_pad=layer.count_include_pad)
    return Definition(define, name="pool")
