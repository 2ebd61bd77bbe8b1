"""Windows of maps as columns, and the sum of columns that lie over one another as windows.

Neither takes a table of indices: each tap of the kernel is a slice of the padded map, or a part of
the sum that is padded to where it lies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

from tvm import relax

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op


@dataclass(frozen=True)
class _Axis:
    """Windows along one axis of a map of a size."""

    size: int
    kernel: int
    dilation: int
    padding: int
    stride: int

    @property
    def count(self) -> int:
        """How many windows there are."""
        span = self.dilation * (self.kernel - 1) + 1
        return (self.size + 2 * self.padding - span) // self.stride + 1

    def begins(self, tap: int) -> tuple[int, int]:
        """Return where a tap of the first window is: the step that it is in, and where there."""
        return divmod(tap * self.dilation, self.stride)

    @property
    def steps(self) -> int:
        """How many steps of the stride all windows reach over."""
        return self.begins(self.kernel - 1)[0] + self.count


def _axes(call: Call, sizes: Sequence[int]) -> list[_Axis]:
    options = (call.kernel_size, call.dilation, call.padding, call.stride)
    return [_Axis(*numbers) for numbers in zip(sizes, *map(_pair, options), strict=True)]


def _pair(numbers: list[int]) -> list[int]:
    return numbers * 2 if len(numbers) == 1 else numbers


def _im2col(emit: Emitter, call: Call) -> Value:
    """Stack a strided slice of the padded map for each tap."""
    *batch, channels, height, width = shape_of(call.self)
    axes = _axes(call, (height, width))
    data = emit.reshape(call.self, [*batch, channels, height, width])
    if any(axis.padding for axis in axes):
        around = [n for axis in axes for n in (axis.padding, axis.padding)]
        data = emit(op.nn.pad, data, [0, 0] * (len(batch) + 1) + around, "constant", 0)
    maps = [axis.count for axis in axes]
    taps = []
    for places in product(*(range(axis.kernel) for axis in axes)):
        tap = data
        for number, (axis, place) in enumerate(zip(axes, places, strict=True)):
            begin = place * axis.dilation
            end = begin + (axis.count - 1) * axis.stride + 1
            tap = emit.slice(tap, len(batch) + 1 + number, begin, end, axis.stride)
        taps.append(emit.reshape(tap, [*batch, channels, 1, *maps]))
    return emit.reshape(emit.concat(taps, len(batch) + 1), call.shape_)


def _col2im(emit: Emitter, call: Call) -> Value:
    """Sum the taps that fall on the same place of a step, then let the places take turns.

    A tap that is ``a`` steps and ``r`` pixels from the first one's place is, among the pixels that
    are ``r`` after a step's begin, the map of its windows moved by ``a``.
    """
    height, width = _axes(call, call.output_size)
    *batch, _, _ = shape_of(call.self)
    channels = call.shape_[-3]
    rank = len(batch) + 1
    maps = [height.count, width.count]
    split = emit.reshape(call.self, [*batch, channels, height.kernel * width.kernel, *maps])
    sums: dict[tuple[int, int], Value] = {}
    for place, taps in enumerate(product(range(height.kernel), range(width.kernel))):
        (down, row), (right, column) = height.begins(taps[0]), width.begins(taps[1])
        tap = emit.reshape(emit.slice(split, rank, place, place + 1), [*batch, channels, *maps])
        after = height.steps - maps[0] - down, width.steps - maps[1] - right
        around = [0, 0] * rank + [down, after[0], right, after[1]]
        if any(around):
            tap = emit(op.nn.pad, tap, around, "constant", 0)
        known = sums.get((row, column))
        sums[row, column] = tap if known is None else emit(op.add, known, tap)
    steps = [height.steps, width.steps]
    turns = list(product(range(height.stride), range(width.stride)))
    if len(sums) < len(turns):
        nothing = emit(op.zeros, [*batch, channels, *steps], call.dtype_)
        sums = {turn: sums.get(turn, nothing) for turn in turns}
    whole = emit.concat([emit.reshape(sums[t], [*batch, channels, 1, *steps]) for t in turns], rank)
    whole = emit.reshape(whole, [*batch, channels, height.stride, width.stride, *steps])
    order = [*range(rank), rank + 2, rank, rank + 3, rank + 1]
    sizes = [steps[0] * height.stride, steps[1] * width.stride]
    data = emit.reshape(emit.permute(whole, order), [*batch, channels, *sizes])
    return _cropped(emit, data, (height, width), rank)


def _cropped(emit: Emitter, data: Value, axes: Sequence[_Axis], first: int) -> Value:
    """Cut off the padding, and fill up what no window reaches."""
    widths = [0] * 2 * first
    for number, axis in enumerate(axes, start=first):
        end = min(shape_of(data)[number], axis.padding + axis.size)
        begin = min(axis.padding, end)
        data = emit.slice(data, number, begin, end)
        widths += [0, axis.size - (end - begin)]
    return emit(op.nn.pad, data, widths, "constant", 0) if any(widths) else data


TABLE: dict[str, Converter] = {"im2col.default": _im2col, "col2im.default": _col2im}
