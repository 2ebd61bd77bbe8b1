"""Compute transposed convolutions as convolutions at the resolution of their input.

With steps of one they are convolutions with turned weights. With larger ones each convolution
computes some or all phases of the output's pixels (see `tvmlcnn.graph.phases`) as channels, from
which ``tvmlcnn.interleave`` makes pixels. Where all phases read the same pixels one convolution
computes them; else several may, each with the taps that its phases have, where zeros in the place
of missing taps would cost more. What follows element by element, with constants by channel, is
done before the pixels are moved: it becomes the epilogue of the convolutions.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.constants import constant, value_of
from tvmlcnn.graph.phases import Axis, Group, Transposed, filters
from tvmlcnn.graph.pixel_operators import interleave
from tvmlcnn.graph.rebuilding import Rebuilding
from tvmlcnn.targets import Device

# What one more convolution costs, in multiply-adds: a few microseconds, with its share of what is
# read twice.
_KERNEL = 1 << 18
# As many convolutions in groups, one a phase, are no more than their pixels are worth.
_MOST_PHASES = 64
_CONVOLUTIONS = (relax.op.nn.conv1d, relax.op.nn.conv2d, relax.op.nn.conv3d)


@dataclass(frozen=True)
class _Phased:
    """A map whose pixels are the channels of smaller ones.

    Attributes
    ----------
    parts : tuple of relax.Expr
        Convolutions' results, or what was made of them, beside each other along the channels.
    channels : tuple of numpy.ndarray
        Which channel of the map each of a part's belongs to.
    table : numpy.ndarray
        See ``tvmlcnn.interleave``.
    shape, steps, crop : tuple of int
    """

    parts: tuple[relax.Expr, ...]
    channels: tuple[np.ndarray, ...]
    table: np.ndarray
    shape: tuple[int, ...]
    steps: tuple[int, ...]
    crop: tuple[int, ...]


_Building = Rebuilding[_Phased]


def transposed_convolutions(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that does so in ``main``."""
    return partial(_rewritten, device=device)


def _rewritten(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    rewrites: dict[str, Callable[..., _Phased | relax.Expr | None]] = dict.fromkeys(
        (name for name, known in BY_RELAX.items() if known.operands <= 2), _elementwise
    )
    for rank in (1, 2, 3):
        rewrites[f"relax.nn.conv{rank}d_transpose"] = partial(_convolution, device=device)
    return _Building(rewrites, _interleaved).run(mod)


def _convolution(
    building: _Building, var: relax.Var, call: relax.Call, device: Device
) -> _Phased | relax.Expr | None:
    attrs, weight = call.attrs, value_of(call.args[1])
    layouts = str(attrs.data_layout)[:2] + str(attrs.kernel_layout)[:2]
    if weight is None or layouts != "NCIO":
        return None
    inner, outer, *kernel = weight.shape
    batch, _, *sizes = ints(call.args[0].ty.shape)
    shape, steps, groups = ints(call.ty.shape), ints(attrs.strides), int(attrs.groups)
    each = zip(
        *(sizes, shape[2:], kernel, steps, ints(attrs.padding), ints(attrs.dilation)), strict=False
    )
    sides = [Transposed(*numbers) for numbers in each]
    lanes = device.multiply_add(device.element(str(call.ty.dtype))).lanes
    axes = _chosen(sides, batch * inner, outer, groups, lanes)
    data = building.plain(call.args[0])
    parts, channels, phases = [], [], []
    for chosen in itertools.product(*(axis.groups for axis in axes)):
        weights = _weights(weight, chosen, groups)
        parts.append(building.emit(_part(data, weights, axes, chosen, sizes, groups), var))
        count = math.prod(len(group.phases) for group in chosen)
        own = np.arange(groups * outer).reshape(groups, 1, outer)
        channels.append(np.broadcast_to(own, (groups, count, outer)).reshape(-1))
        numbers = itertools.product(*(group.phases for group in chosen))
        flat = [np.ravel_multi_index(number, steps) for number in numbers]
        phases.append(np.tile(np.repeat(flat, outer), groups))
    if math.prod(steps) == 1:
        return parts[0]
    table = np.zeros((math.prod(steps), groups * outer), np.int64)
    where = (np.concatenate(phases), np.concatenate(channels))
    table[where] = np.arange(len(where[0]))
    crop = tuple(axis.crop for axis in axes)
    return _Phased(tuple(parts), tuple(channels), table, tuple(shape), tuple(steps), crop)


def _chosen(
    sides: Sequence[Transposed], inner: int, outer: int, groups: int, lanes: int
) -> list[Axis]:
    """Return how to compute each axis, for the least work of all."""
    if groups > 1 and math.prod(side.stride for side in sides) <= _MOST_PHASES:
        # Channels of groups, depthwise ones above all, stay in their order in each phase.
        return [side.each() for side in sides]
    if groups > 1:
        return [side.options()[0] for side in sides]

    def work(axes: tuple[Axis, ...]) -> int:
        total = 0
        for chosen in itertools.product(*(axis.groups for axis in axes)):
            taps = math.prod(group.places for group in chosen)
            channels = outer * math.prod(len(group.phases) for group in chosen)
            total += inner * taps * (-(-channels // lanes) * lanes)
        kernels = math.prod(len(axis.groups) for axis in axes)
        return total * math.prod(axis.size for axis in axes) + kernels * _KERNEL

    ways: list[tuple[Axis, ...]] = list(itertools.product(*(side.options() for side in sides)))
    best = min(ways, key=work)
    return list(best)


def _weights(weight: np.ndarray, chosen: Sequence[Group], groups: int) -> np.ndarray:
    """Return the weights of a convolution, shape (groups * phases * outer, inner, *places)."""
    found = [filters(part, chosen) for part in np.split(weight, groups)]
    phases, outer, *rest = found[0].shape
    return np.stack(found).reshape(groups * phases * outer, *rest)


def _part(
    data: relax.Expr,
    weight: np.ndarray,
    axes: Sequence[Axis],
    chosen: Sequence[Group],
    sizes: Sequence[int],
    groups: int,
) -> relax.Call:
    """Return the convolution that computes some of the phases."""
    sides = [
        axis.padding(*of) for axis, of in zip(axes, zip(chosen, sizes, strict=True), strict=True)
    ]
    if min(min(side) for side in sides) < 0:
        begin = [max(0, -before) for before, _ in sides]
        end = [size - max(0, -after) for size, (_, after) in zip(sizes, sides, strict=True)]
        data = relax.op.strided_slice(data, [n + 2 for n in range(len(sizes))], begin, end)
    padding = [max(0, side[i]) for i in (0, 1) for side in sides]
    dilation = [group.step for group in chosen]
    convolution = _CONVOLUTIONS[len(sizes) - 1]
    return convolution(data, constant(weight), padding=padding, dilation=dilation, groups=groups)


def _elementwise(building: _Building, var: relax.Var, call: relax.Call) -> _Phased | None:
    """Work on the phases, where all that is taken beside them are constants by channel."""
    forms = [form for arg in call.args if (form := building.form(arg))]
    if not forms or any(form.table is not forms[0].table for form in forms):
        return None
    like, rank = forms[0], len(forms[0].shape)
    if ints(call.ty.shape) != list(like.shape):
        return None
    by_channel = [like.shape[1], *[1] * (rank - 2)]
    arguments: list[Sequence[relax.Expr]] = []
    for arg in call.args:
        form, array = building.form(arg), value_of(arg)
        if form is not None:
            arguments.append(form.parts)
        elif not isinstance(arg.ty, relax.TensorType) or (array is not None and array.size == 1):
            arguments.append([arg] * len(like.parts))
        elif array is not None and list(array.shape[1 - rank :]) == by_channel:
            values = array.reshape(-1)
            along = (1, -1, *[1] * (rank - 2))
            arguments.append([constant(values[of].reshape(along)) for of in like.channels])
        else:
            return None
    parts = tuple(
        building.emit(relax.Call(call.op, list(args), call.attrs), var)
        for args in zip(*arguments, strict=True)
    )
    return replace(like, parts=parts)


def _interleaved(building: _Building, var: relax.Var, form: _Phased) -> relax.Expr:
    parts = form.parts
    joined = parts[0]
    if len(parts) > 1:
        joined = building.emit(relax.op.concat(list(parts), 1), var)
    return building.emit(interleave(joined, form.table, form.shape, form.steps, form.crop), var)
