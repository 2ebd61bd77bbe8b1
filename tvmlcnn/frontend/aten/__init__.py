"""ATen's operators in Relax: one table, a family of operators a file."""

from __future__ import annotations

from . import (
    activations,
    arithmetic,
    attention,
    convolution,
    detection,
    distances,
    frames,
    indexing,
    logic,
    normalization,
    ordering,
    pooling,
    products,
    quantization,
    reductions,
    resizing,
    sampling,
    shapes,
    windows,
)
from .emitter import Call, Converter, Emitter, dtype_named

__all__ = ["CONVERTERS", "KEPT", "Call", "Converter", "Emitter", "dtype_named"]

CONVERTERS: dict[str, Converter] = {
    **arithmetic.TABLE,
    **logic.TABLE,
    **activations.TABLE,
    **shapes.TABLE,
    **windows.TABLE,
    **indexing.TABLE,
    **reductions.TABLE,
    **ordering.TABLE,
    **products.TABLE,
    **attention.TABLE,
    **convolution.TABLE,
    **pooling.TABLE,
    **normalization.TABLE,
    **resizing.TABLE,
    **sampling.TABLE,
    **distances.TABLE,
    **detection.TABLE,
    **quantization.TABLE,
    **frames.TABLE,
}
"""By the name of the operator and its overload, without ``aten.``."""

KEPT = quantization.WEIGHTS
"""Operators that are imported although they depend on constants alone."""
