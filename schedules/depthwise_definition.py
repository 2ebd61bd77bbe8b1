"""Depthwise convolutions, as kernels of numbers and of codes define them."""

from __future__ import annotations

from functools import partial

import numpy as np

from tvmlcnn import ops

from .layer import Convolution
from .rule import Definition


def depthwise_definition(
    layer: Convolution,
    tile: tuple[int, int] = (1, 1),
    numbers: bool = False,
    shifted: bool = True,
) -> Definition:
    """Return the definition of a depthwise convolution, tap by tap.

    Parameters
    ----------
    layer : Convolution
    tile : tuple of int
        Rows and columns of outputs, of which whole ones are computed.
    numbers : bool
        Whether codes are multiplied, and summed up, as float32.
    shifted : bool
        Whether codes are multiplied less their zero.
    """
    channels = layer.shape[3]
    plane, channel = divmod(int(layer.reads[0]) if len(layer.reads) else 0, layer.data[3])
    define = partial(
        ops.depthwise,
        window=layer.window,
        batch=layer.shape[0],
        first=(plane * layer.shape[0], channel),
        zero=layer.zero,
        tile=tile,
        sums=layer.sums,
        shifted=shifted,
    )
    weight = by_plane(layer.weight[:, :, 0], channels)
    excess = layer.zero * weight.astype(np.int32).sum((-3, -2), dtype=np.int32)
    if numbers:
        weight, excess = weight.astype(np.float32), excess.astype(np.float32)
    return Definition(define, [weight, excess] if layer.zero and shifted else [weight])


def by_plane(weight: np.ndarray, channels: int) -> np.ndarray:
    """Return weights, shape (rows, columns, C), with planes of so many channels outermost."""
    if weight.shape[2] == channels:
        return weight
    return weight.reshape(*weight.shape[:2], -1, channels).transpose(2, 0, 1, 3)
