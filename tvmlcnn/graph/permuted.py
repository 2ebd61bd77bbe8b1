"""Tensors that are stored in another way than the imported graph says.

The axes may be in another order, and the channels elsewhere: behind each other in planes, in
another order, with unused ones between. Which channel is where is known at compile time, so that
splitting, joining and shuffling channels moves nothing.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import tvm
from tvm import relax, te, tirx
from tvm.ir import Expr

from .constants import constant
from .regular_places import regular_places

OPAQUE = 8  # TVM's OpPatternKind
# Channels that are worth vectors of their own: those of the shortest vector.
_SHORTEST_RUN = 4
NHWC = (0, 2, 3, 1)
# All pixels in a line: (N, C, W).
LINE = (0, 2, 1)
# Frames of videos, which are maps: (N, D, C, H, W).
FRAMES = (0, 1, 3, 4, 2)
# Channels split into groups, as a channel shuffle does: (N, groups, channels of one, H, W).
SPLIT_NHWC = (0, 3, 4, 1, 2)


@dataclass(frozen=True)
class Permuted:
    """An expression of the new function that holds a tensor of the old one.

    Attributes
    ----------
    expr : relax.Expr
    order : tuple of int
        Axis ``i`` of the stored tensor is axis ``order[i]`` of the old one.
    places : numpy.ndarray, optional
        Where the old channels are: ``plane * width + position`` each, of shape (C,), or (groups,
        C / groups) in the order `SPLIT_NHWC`. Without it they are where the shape says. With it
        the stored tensor has the shape (planes * N, H, W, width).
    planes : int
    """

    expr: relax.Expr
    order: tuple[int, ...]
    places: np.ndarray | None = None
    planes: int = 1

    @property
    def plain(self) -> bool:
        """Whether it is stored as the old graph says."""
        return self.places is None and self.order == tuple(range(len(self.order)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The stored shape."""
        return tuple(int(n) for n in self.expr.ty.shape)

    @property
    def batch(self) -> int:
        """N, of a tensor whose outermost axis is the batch."""
        return self.shape[0] // self.planes

    def axis(self, old: int) -> int:
        """Return where an axis of the old value, possibly negative, is now."""
        return self.order.index(old % len(self.order))

    def located(self) -> np.ndarray:
        """Return the place of each channel of a tensor in the order `NHWC`."""
        return np.arange(self.shape[3]) if self.places is None else self.places

    @property
    def repeats(self) -> bool:
        """Whether several channels are at one place, as those of a tensor joined with itself."""
        return self.places is not None and np.unique(self.places).size < self.places.size

    def at(self, places: np.ndarray) -> Permuted:
        """Return the tensor that has its channels at ``places`` of this one."""
        whole = self.planes == 1 and np.array_equal(places, np.arange(self.shape[3]))
        return replace(self, places=None if whole else places)

    def stored_like(self, other: Permuted) -> bool:
        """Tell whether the channels of both are at the same places."""
        if self.places is None or other.places is None:
            return self.places is other.places
        same = (self.planes, self.shape[3]) == (other.planes, other.shape[3])
        return same and np.array_equal(self.places, other.places)

    def spread(self, array: np.ndarray) -> np.ndarray:
        """Return an NHWC array with its channels at the places of this tensor, zeros between.

        No two channels may be at one place.
        """
        if self.places is None or array.shape[3] == 1:
            return array
        planes, positions = np.divmod(self.places, self.shape[3])
        result = np.zeros((self.planes, *array.shape[1:3], self.shape[3]), array.dtype)
        result[planes, :, :, positions] = array[0].transpose(2, 0, 1)
        return np.repeat(result, self.batch, axis=0)


def compact(builder: relax.BlockBuilder, value: Permuted) -> Permuted:
    """Bring the channels together, in their order."""
    if value.places is None:
        return value
    places, (_, height, width, wide) = value.places.reshape(-1), value.shape
    batch = value.batch
    if value.planes == 1 and np.array_equal(places, places[0] + np.arange(len(places))):
        first = int(places[0])
        packed = relax.op.strided_slice(value.expr, [3], [first], [first + len(places)])
    elif (
        batch == height == width == 1
        and len(places) == value.planes * wide
        and np.array_equal(places, np.arange(len(places)))
    ):
        packed = relax.op.reshape(value.expr, (1, 1, 1, len(places)))
    elif (run := _run(places, wide)) >= _SHORTEST_RUN:
        gathered = _gathered(
            builder,
            value,
            run,
            # Fused with the view that follows, the kernel would divide for each element.
            primfunc_attrs={"op_pattern": OPAQUE},
        )
        packed = relax.op.reshape(gathered, (batch, height, width, len(places)))
    else:
        packed = _gathered(builder, value)
    expr = builder.emit(packed)
    if value.places.ndim == 2:
        expr = builder.emit(relax.op.reshape(expr, (batch, height, width, *value.places.shape)))
    return Permuted(expr, value.order)


def _gathered(
    builder: relax.BlockBuilder, value: Permuted, run: int = 1, **options: Any
) -> relax.Var:
    """Copy channels together, so many at a time; those of runs have an axis of their own."""
    starts = value.located().reshape(-1)[::run].astype(np.int32)
    batch, (_, height, width, wide) = value.batch, value.shape
    # Of a table of places the planes would be divided out again for each pixel.
    places = np.divmod(starts, np.int32(wide))
    rules = [regular_places(each) for each in places]
    tables = [constant(each) for each, rule in zip(places, rules, strict=True) if rule is None]
    shape = (batch, height, width, len(starts), *([run] if run > 1 else []))

    def gather(data: te.Tensor, *tables: te.Tensor) -> te.Tensor:
        def element(n: Expr, h: Expr, w: Expr, number: Expr, *lane: Expr) -> Expr:
            known = iter(tables)
            plane, position = (
                next(known)[number] if rule is None else rule(number) for rule in rules
            )
            return data[plane * batch + n, h, w, sum(lane, position)]

        return te.compute(shape, element, name="gather")

    called = builder.call_te(
        gather, value.expr, *tables, primfunc_name_hint="gather_channels", **options
    )
    return builder.emit(called)


def _run(places: np.ndarray, wide: int) -> int:
    """Return how many channels, from each multiple of so many on, lie together in a plane."""
    breaks = np.flatnonzero((np.diff(places) != 1) | (places[1:] % wide == 0)) + 1
    return math.gcd(len(places), *(int(n) for n in breaks))


def placed_like(builder: relax.BlockBuilder, value: Permuted, like: Permuted) -> Permuted:
    """Put the channels of a map of one pixel to where another tensor has them.

    What lies between them is the first channel. No two channels may be at one place.
    """
    if value.order != NHWC:
        assert value.plain
        batch, channels, *_ = value.shape
        view = builder.emit(relax.op.reshape(value.expr, (batch, 1, 1, channels)))
        value = Permuted(view, NHWC)
    located, wide, batch = value.located(), value.shape[3], value.batch
    sources = np.full(like.planes * like.shape[3], located[0])
    sources[like.located()] = located
    table = constant(sources.reshape(like.planes, like.shape[3]).astype(np.int32))

    def place(data: te.Tensor, table: te.Tensor) -> te.Tensor:
        def element(n: tirx.Var, h: tirx.Var, w: tirx.Var, c: tirx.Var) -> tvm.ir.Expr:
            source = table[n // batch, c]
            return data[source // wide * batch + n % batch, h, w, source % wide]

        return te.compute((like.planes * batch, 1, 1, like.shape[3]), element, name="place")

    placed = builder.call_te(place, value.expr, table, primfunc_name_hint="place_channels")
    return Permuted(builder.emit(placed), NHWC, like.places, like.planes)


def cut_into_planes(builder: relax.BlockBuilder, value: Permuted, wide: int) -> Permuted:
    """Copy a whole tensor into planes of ``wide`` channels, which divide its width.

    The first channels of all its planes come first, then the next ones of all.
    """
    outermost, height, width, channels = value.shape
    blocks = channels // wide

    def cut(data: te.Tensor, one: te.Tensor) -> te.Tensor:
        return te.compute(
            (blocks * outermost, height, width, wide),
            lambda n, h, w, c: data[n % outermost, h, w, n // outermost * wide + c] * one[0],
            name="cut",
        )

    expr = _moved(builder, cut, value.expr)
    planes = blocks * value.planes
    return Permuted(expr, NHWC, np.arange(planes * wide), planes)


def copied(builder: relax.BlockBuilder, expr: relax.Expr) -> relax.Expr:
    """Copy a tensor."""

    def copy(data: te.Tensor, one: te.Tensor) -> te.Tensor:
        both = tirx.all if data.dtype == "bool" else operator.mul
        return te.compute(data.shape, lambda *i: both(data(*i), one[0]), name="copy")

    return _moved(builder, copy, expr)


def _moved(
    builder: relax.BlockBuilder,
    define: Callable[[te.Tensor, te.Tensor], te.Tensor],
    expr: relax.Expr,
) -> relax.Expr:
    """Emit a kernel that moves data, and is neither fused with others nor left out.

    TVM takes a kernel that keeps the order of the elements for a view of its input. Multiplying
    by a one that it does not know keeps it from that.
    """
    one = constant(np.ones(1, str(expr.ty.dtype)))
    pattern = {"op_pattern": OPAQUE}
    return builder.emit(
        builder.call_te(define, expr, one, primfunc_name_hint="copy", primfunc_attrs=pattern)
    )
