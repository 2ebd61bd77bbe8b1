"""What a convolution reads, as the matrix that is multiplied with its weights."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from tvm import te, tirx
from tvm.ir import Expr

from .convolution import Window
from .formula import Formula
from .prologue import prepared
from .reduction import raveled, unraveled


@dataclass(frozen=True)
class Gathering:
    """How rows of what each pixel reads are gathered from maps, or taken from a matrix.

    Attributes
    ----------
    shape : tuple of int
        Of the result: (N, H', W', channels) or (..., channels).
    window : Window
    kernel : tuple of int
        (rows, columns) of the window; (1, 1) for a product.
    steps : int
        Of the reduction: taps, planes and channels, the innermost last.
    groups : int
        Of channels, each with a matrix of its own.
    planes : int
        That are read, from the first on.
    table : bool
        Whether a table says where the channels lie that are read, as `tvmlcnn.ops.dense` takes it.
    jumps : sequence of (int, int)
        Instead of a table: from which channel on those that are read lie how much further than
        where they would be if they followed the ones before.
    channels_first : bool
    prologue : Formula, optional
        See `tvmlcnn.ops.prologue`.
    load : int
        Steps that lie together and are loaded together: a divisor of the channels of a tap. Said
        so TVM sees that they have their tap in common.
    zero : int
        Of data that are codes: what lies around the maps.
    """

    shape: tuple[int, ...]
    window: Window
    kernel: tuple[int, int]
    steps: int
    groups: int = 1
    planes: int = 1
    table: bool = False
    jumps: Sequence[tuple[int, int]] = ()
    channels_first: bool = False
    prologue: Formula | None = None
    load: int = 1
    zero: int = 0

    @property
    def rows(self) -> int:
        """Of the matrix, one for each pixel."""
        return math.prod(self.shape[:-1])

    def of(
        self, data: te.Tensor, more: Sequence[te.Tensor], tile: int
    ) -> Callable[[Expr, Expr, Expr], Expr]:
        """Return a function of a group, a row and a step: what the group's matrix has there.

        Rows past the end, of which there are some where ``tile`` does not divide them, are the
        last one.

        Parameters
        ----------
        data : te.Tensor
            Shape (planes * N, H, W, C), (N, C, H, W) with ``channels_first``, or (..., K) for a
            product.
        more : sequence of te.Tensor
            The table, if there is one, and the tensors that the prologue takes.
        tile : int
            Rows that are computed together.
        """
        places, parameters = (more[0], more[1:]) if self.table else (None, more)
        pixels, kernel, planes, load = self.shape[:-1], self.kernel, self.planes, self.load
        inner = self.steps // (math.prod(kernel) * planes)
        source = data
        if self.prologue is not None and any(self.window.padding):
            # What lies around the maps is zero after the prologue.
            source = te.compute(
                data.shape,
                lambda *place: prepared(data, self.prologue, parameters, place),
                name="prologue",
            )
        padded = self.window.padded(source, self.channels_first, self.zero)

        def element(group: Expr, row: Expr, step: Expr) -> Expr:
            row = row if self.rows % tile == 0 else tirx.min(row, self.rows - 1)
            # Past the last step of a segment nothing is read.
            alone = self.steps == inner and places is None
            first = step // load
            channel = step if alone else first % (inner // load) * load + step % load
            if len(data.shape) != 4:
                return value(*unraveled(row, pixels), channel)
            plane = first // (inner // load) % planes
            tap = first // (inner // load * planes)
            at = [tap // kernel[1], tap % kernel[1]]
            pixel = [row // (pixels[1] * pixels[2]), row // pixels[2] % pixels[1], row % pixels[2]]
            batch, *place = self.window.read(pixel, at)
            if self.groups > 1:
                channel = group * inner + channel
            if places is not None:
                # Counting on past the pixel's own channels, one addition finds every channel of it.
                channel = places[channel]
            moved = (tirx.Select(channel >= first, further, 0) for first, further in self.jumps)
            channel = sum(moved, channel)
            if self.channels_first:
                return value(batch, channel, *place)
            return value(plane * pixels[0] + batch if planes > 1 else batch, *place, channel)

        def value(*place: Expr) -> Expr:
            if padded is data:
                return prepared(data, self.prologue, parameters, place)
            return padded(*place)

        return element

    def stored(self, total: Callable[[Expr, Expr], Expr]) -> te.Tensor:
        """Return the result, of the sums as a function of a row and a channel."""
        pixels = self.shape[:-1]
        return te.compute(
            self.shape, lambda *place: total(raveled(place[:-1], pixels), place[-1]), name="store"
        )
