"""Layers with constant weights: convolutions and products."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from tvmlcnn.ops import Formula, Window
from tvmlcnn.targets import ElementType

Shape = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Convolution:
    """A convolution with constant weights.

    Attributes
    ----------
    element : ElementType
    data : tuple of int
        (planes * N, H, W, C), or (N, C, H, W) with ``channels_first``.
    weight : numpy.ndarray
        Shape (rows, columns, inner, outer).
    shape : tuple of int
        Of the result: (N, H', W', outer).
    window : Window
    groups : int
    reads : numpy.ndarray
        Which of the data's channels the weight's inner ones are, counted through the planes;
        empty means the first ones. Of a depthwise convolution, the channels of its output, which
        lie together.
    channels_first : bool
    prologue : tuple of str
        Operators, by their names in Relax, that are applied to the data first.
    zero : int
        Of data that are codes: the one that stands for zero, and lies around the maps.
    sums : str
        The type that products are added up in, and that results have; the element's accumulator
        where it is empty.
    """

    element: ElementType
    data: Shape
    weight: np.ndarray
    shape: Shape
    window: Window
    groups: int = 1
    reads: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    channels_first: bool = False
    prologue: tuple[str, ...] = ()
    zero: int = 0
    sums: str = ""

    @property
    def is_depthwise(self) -> bool:
        """Whether each channel, of each plane, has its own weights and one output."""
        inner, outer = self.weight.shape[2:]
        return self.groups == outer and outer % self.shape[3] == 0 and inner == 1

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        parts = ["conv2d", sizes_of(self.data), "->", sizes_of(self.shape)]
        parts += ["kernel", sizes_of(self.weight.shape)]
        usual = Window()
        for name in ("strides", "padding", "dilation"):
            sizes = getattr(self.window, name)
            if sizes != getattr(usual, name):
                parts += [name, sizes_of(sizes)]
        if self.groups > 1:
            parts += ["groups", str(self.groups)]
        if len(self.reads):
            plain = np.array_equal(self.reads, np.arange(len(self.reads)))
            parts.append("planes" if plain else "table")
        if self.channels_first:
            parts.append("nchw")
        if self.prologue:
            names = (name.rpartition(".")[2] for name in self.prologue)
            parts += ["prologue", ",".join(names)]
        if self.zero:
            parts.append("shifted")
        return " ".join(parts)


@dataclass(frozen=True, eq=False)
class Product:
    """A product of data, shape (..., K), with a constant matrix, shape (K, N).

    Attributes
    ----------
    element : ElementType
    data : tuple of int
    weight : numpy.ndarray
    sums : str
        As of a convolution.
    """

    element: ElementType
    data: Shape
    weight: np.ndarray
    sums: str = ""

    @property
    def shape(self) -> Shape:
        """Of the result."""
        return (*self.data[:-1], self.weight.shape[1])

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        return f"matmul {sizes_of(self.data)} {sizes_of(self.weight.shape)}"


@dataclass(frozen=True, eq=False)
class PointwiseDepthwise:
    """A pointwise convolution, what is applied to it, and a depthwise one that reads that.

    Attributes
    ----------
    element : ElementType
    data : tuple of int
        (N, H, W, C); channels past those of ``weight`` are not read.
    weight : numpy.ndarray
        Of the pointwise convolution, shape (inner, outer).
    between : Formula
    parameters : list of numpy.ndarray
        Of ``between``, by channel, shape (outer,).
    kernel : numpy.ndarray
        Of the depthwise convolution, shape (rows, columns, outer).
    shape : tuple of int
        Of the result.
    window : Window
        Of the depthwise convolution.
    """

    element: ElementType
    data: Shape
    weight: np.ndarray
    between: Formula
    parameters: list[np.ndarray]
    kernel: np.ndarray
    shape: Shape
    window: Window

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        parts = ["conv2d", sizes_of(self.data), "x", sizes_of(self.weight.shape)]
        parts += ["depthwise", sizes_of(self.kernel.shape), "->", sizes_of(self.shape)]
        return " ".join([*parts, *_window(self.window)])


@dataclass(frozen=True, eq=False)
class DepthwisePointwise:
    """A depthwise convolution, what is applied to it, and a pointwise one that reads that.

    Attributes
    ----------
    element : ElementType
    data : tuple of int
        (N, H, W, C); channels past those of ``kernel`` are not read.
    kernel : numpy.ndarray
        Of the depthwise convolution, shape (rows, columns, inner).
    between : Formula
    parameters : list of numpy.ndarray
        Of ``between``, by channel, shape (inner,).
    weight : numpy.ndarray
        Of the pointwise convolution, shape (inner, outer).
    shape : tuple of int
        Of the result.
    window : Window
        Of the depthwise convolution.
    """

    element: ElementType
    data: Shape
    kernel: np.ndarray
    between: Formula
    parameters: list[np.ndarray]
    weight: np.ndarray
    shape: Shape
    window: Window

    @property
    def depthwise(self) -> Convolution:
        """The depthwise convolution alone."""
        channels = self.kernel.shape[2]
        between = (*self.shape[:3], channels)
        kernel = self.kernel[:, :, np.newaxis]
        return Convolution(self.element, self.data, kernel, between, self.window, channels)

    @property
    def workload(self) -> str:
        """What it computes, for records of tuning."""
        parts = ["depthwise", sizes_of(self.data), "x", sizes_of(self.kernel.shape)]
        parts += ["conv2d", sizes_of(self.weight.shape), "->", sizes_of(self.shape)]
        return " ".join([*parts, *_window(self.window)])


def _window(window: Window) -> list[str]:
    parts = ["strides", sizes_of(window.strides), "padding", sizes_of(window.padding)]
    return [*parts, "dilation", sizes_of(window.dilation)]


def sizes_of(numbers: Iterable[int]) -> str:
    """Return sizes as texts of workloads have them."""
    return "x".join(str(int(n)) for n in numbers)
