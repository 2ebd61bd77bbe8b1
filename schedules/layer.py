"""What rules are asked to make kernels for: layers, as values.

Data are channels-last. A layer says all that its kernel depends on but what is fused after it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tvmlcnn.targets import ElementType

from .layers_with_weights import (
    Convolution,
    DepthwisePointwise,
    PointwiseDepthwise,
    Product,
    Shape,
    sizes_of,
)

__all__ = [
    "BatchedProduct",
    "Concatenation",
    "Convolution",
    "DepthwisePointwise",
    "Layer",
    "Normalization",
    "PointwiseDepthwise",
    "Pool",
    "Product",
    "Reduction",
    "Resample",
    "Rows",
    "Softmax",
]


@dataclass(frozen=True, eq=False)
class BatchedProduct:
    """Products of matrices, (..., M, K) with (..., K, N), neither of which is weights.

    Attributes
    ----------
    element : ElementType
    left, right : tuple of int
        Shapes, whose outer axes are broadcast.
    """

    element: ElementType
    left: Shape
    right: Shape
    workload = ""

    @property
    def shape(self) -> Shape:
        """Of the result."""
        outer = np.broadcast_shapes(self.left[:-2], self.right[:-2])
        return (*outer, self.left[-2], self.right[-1])


@dataclass(frozen=True, eq=False)
class Pool:
    """The maximum or the mean of windows, or the mean of whole maps.

    Attributes
    ----------
    element : ElementType
    kind : str
        ``"max"``, ``"average"`` or ``"global average"``; the last one has none of the others.
    shape : tuple of int
        Of the result: (N, H', W', C); (N, C) of whole maps whose axes are not kept.
    size, strides : tuple of int
        Of a window, whose taps are neighbours.
    padding : tuple of int
        Top, left, bottom, right; each window overlaps the map.
    count_include_pad : bool
    data : tuple of int
        Shape of the data of whole maps: (N, H, W, C).
    """

    element: ElementType
    kind: str
    shape: Shape
    size: Shape = ()
    strides: Shape = ()
    padding: Shape = ()
    count_include_pad: bool = False
    data: Shape = ()

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        if not self.size:
            return f"{self.kind} pool {sizes_of(self.data)}"
        window = f"window {sizes_of(self.size)} strides {sizes_of(self.strides)}"
        padding = f"padding {sizes_of(self.padding)}"
        return f"{self.kind} pool -> {sizes_of(self.shape)} {window} {padding}"


@dataclass(frozen=True, eq=False)
class Concatenation:
    """Tensors one after the other along their innermost axis."""

    element: ElementType
    workload = ""


@dataclass(frozen=True, eq=False)
class Softmax:
    """Softmax, or its logarithm, along the middle axis of data of shape (rows, K, inner)."""

    element: ElementType
    data: Shape
    logarithm: bool

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        return f"{'log ' if self.logarithm else ''}softmax {sizes_of(self.data)}"


@dataclass(frozen=True, eq=False)
class Resample:
    """Linear maps along axes, one after the other.

    Attributes
    ----------
    element : ElementType
    data : tuple of int
    axes : tuple of int
    tables : tuple of pairs of numpy.ndarray
        Sources and weights of each axis, as `tvmlcnn.ops.resample` takes them.
    """

    element: ElementType
    data: Shape
    axes: Shape
    tables: tuple[tuple[np.ndarray, np.ndarray], ...]

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        tables = [
            f"axis {a} by {sizes_of(t.shape)}"
            for a, (t, _) in zip(self.axes, self.tables, strict=True)
        ]
        return " ".join(["resample", sizes_of(self.data), *tables])


@dataclass(frozen=True, eq=False)
class Normalization:
    """Layer, group, instance and batch norm, with the statistics of the data.

    Attributes
    ----------
    element : ElementType
    data : tuple of int
        Shape of the data.
    lead : int
        Outer axes of which each place has statistics of its own.
    groups : int
        Of the channels, each of which has statistics of its own; 0 where all axes but the outer
        ones are normalized together.
    channels_last : bool
        Whether the channels are the last axis; else the first one after the outer ones.
    epsilon : float
    """

    element: ElementType
    data: Shape
    lead: int
    groups: int
    channels_last: bool
    epsilon: float
    workload = ""


@dataclass(frozen=True, eq=False)
class Reduction:
    """The sum, the mean, the largest or the smallest over neighbouring axes.

    Attributes
    ----------
    element : ElementType
    kind : str
        ``"sum"``, ``"mean"``, ``"max"`` or ``"min"``.
    data : tuple of int
    lead : int
        Axes before them, at least one where there are none after them.
    keep : bool
        Whether they stay, of one element each.
    inner : int
        Axes after them.
    """

    element: ElementType
    kind: str
    data: Shape
    lead: int
    keep: bool
    inner: int = 0
    workload = ""


@dataclass(frozen=True)
class Rows:
    """What goes through rows step by step: sorting, scans, searches, suppression, scattering.

    Attributes
    ----------
    element : ElementType
    operator : str
        Its name in Relax.
    options : tuple of (str, value)
        The arguments of the function in `tvmlcnn.ops`, but the tensors.
    """

    element: ElementType
    operator: str
    options: tuple[tuple[str, bool | int | float | str | Shape], ...]
    workload = ""


Layer = (
    Convolution
    | Product
    | BatchedProduct
    | PointwiseDepthwise
    | DepthwisePointwise
    | Pool
    | Concatenation
    | Resample
    | Normalization
    | Softmax
    | Reduction
    | Rows
)
