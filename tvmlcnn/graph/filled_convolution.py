"""Convolutions of channels-last tensors, with as many channels as vectors want.

A vector that is not full takes as long as a full one, and no rule has a kernel for channels that no
vector divides: some more are computed, with weights of zero, and where the true ones are is known.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from tvm import relax

from tvmlcnn.ops.grouped import alignment
from tvmlcnn.targets import ELEMENT_TYPES, MultiplyAdd

from . import operators
from .byte_channels import gathered
from .concatenate import aligned
from .constants import constant, value_of
from .permuted import NHWC, Permuted
from .quantized_operators import INTEGER_CONV2D
from .rewriter import Rewriter

_FEWEST = 8  # channels that are worth a shorter vector
# Multiplying twice the channels costs about what it does to copy them together.
_MOST_UNUSED = 2


def conv2d(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Convolve wherever the channels are, of which the weights know.

    Elements that no kernel of ours is for, as float64 and integers, stay channels-first.
    """
    attrs, weight = call.attrs, value_of(call.args[1])
    if str(call.args[0].ty.dtype) not in _computed(rewriter):
        return None
    if weight is None or attrs.data_layout != "NCHW" or attrs.kernel_layout != "OIHW":
        return None
    groups, reads = int(attrs.groups), np.arange(0)
    outer = int(call.ty.shape[1])
    data, step = rewriter.value(call.args[0]), rewriter.multiply_add(call.args[0])
    weight, places = weight.transpose(2, 3, 1, 0), None
    several = step.products
    # A network's few input channels are read where they are, without a transpose before; those of
    # which an instruction multiplies several are not.
    channels_first = several == 1 and data.plain and groups * weight.shape[2] < step.lanes
    if channels_first:
        weight, groups = ungrouped(weight, groups), 1
    else:
        data = rewriter.nhwc(call.args[0])
    unit = unit_of(call, step, aligned(call.args[0]))
    if groups == 1 and several > 1:
        data, weight, reads = whole_pixels(rewriter, data, weight, several, Rewriter.compact)
        weight, places = filled_up(weight, unit)
    elif groups == 1:
        located = np.arange(weight.shape[2]) if channels_first else data.located()
        order = np.argsort(located)
        reads, weight = located[order], weight[:, :, order]
        if data.planes == 1 and np.array_equal(reads, np.arange(len(reads))):
            reads = reads[:0]
        weight, places = filled_up(weight, unit)
    elif groups == outer == weight.shape[3] and weight.shape[2] == 1:
        return depthwise(rewriter, call, data, weight, unit)
    else:
        data = rewriter.compact(data)
        weight, places = _filled_groups(weight, groups, step, rewriter.device.vectors_of_groups)
    made = convolved(call, data, weight, groups, reads, channels_first=channels_first)
    return Permuted(rewriter.builder.emit(made), NHWC, places)


def convolved(
    call: relax.Call,
    data: Permuted,
    weight: np.ndarray,
    groups: int,
    reads: np.ndarray,
    **options: Any,
) -> relax.Call:
    """Return the call of ``tvmlcnn.conv2d`` that computes as many channels as weights are for."""
    batch, _, height, width = (int(n) for n in call.ty.shape)
    shape = (batch, height, width, weight.shape[3])
    return operators.conv2d(
        data.expr, constant(weight), shape, call.attrs, groups, reads, **options
    )


def _computed(rewriter: Rewriter) -> list[str]:
    """Return the types of numbers that kernels compute in."""
    return [name for name, element in ELEMENT_TYPES.items() if rewriter.device.computes(element)]


def whole_pixels(
    rewriter: Rewriter,
    data: Permuted,
    weight: np.ndarray,
    several: int,
    gathered: Callable[[Rewriter, Permuted], Permuted],
) -> tuple[Permuted, np.ndarray, np.ndarray]:
    """Return data, weights, and what they read, so that all channels of a pixel are multiplied.

    Those that no weight is for get zeros.

    Parameters
    ----------
    rewriter : Rewriter
    data : Permuted
    weight : numpy.ndarray
    several : int
        Channels that an instruction multiplies, as they lie.
    gathered : callable
        Brings channels together that lie apart.
    """
    width, inner = data.shape[3], weight.shape[2]
    scattered = data.planes * width > _MOST_UNUSED * inner or (data.planes > 1 and width % several)
    if data.repeats or scattered:
        data = gathered(rewriter, data)
    located = data.located()
    if data.planes == 1:
        data = rewriter.widened(data, several)
    total = data.planes * data.shape[3]
    spread = np.zeros((*weight.shape[:2], total, weight.shape[3]), weight.dtype)
    spread[:, :, located] = weight
    return data, spread, np.arange(total if data.planes > 1 else 0)


def depthwise(
    rewriter: Rewriter, call: relax.Call, data: Permuted, weight: np.ndarray, unit: int
) -> Permuted:
    """Convolve each channel where it is: some of one plane, or all planes, used or not."""
    data = gathered(rewriter, data)
    if data.repeats:  # each has weights of its own
        data = rewriter.compact(data)
    batch, outer, height, width = (int(n) for n in call.ty.shape)
    least, located, wide = min(rewriter.multiply_add(call).vectors()), data.located(), data.shape[3]
    first, last = int(located.min()), int(located.max())
    few = -(-(last + 1 - first) // unit) * unit
    reads, planes, total = range(0), 1, few
    if few < wide and first // wide == last // wide:
        first = min(first, (first // wide + 1) * wide - few)
        reads, places = range(first, first + few), located - first
    else:
        if data.planes > 1 and (wide % least or data.planes * wide >= 2 * outer):
            data = rewriter.compact(data)
        if data.planes == 1:
            data = rewriter.widened(data, least)
        planes, places = data.planes, data.located()
        total = planes * data.shape[3]
    spread = np.zeros((*weight.shape[:3], total), weight.dtype)
    spread[..., places] = weight
    shape = (planes * batch, height, width, total // planes)
    zero = int(call.attrs.zero) if call.op.name == INTEGER_CONV2D else 0
    result = operators.conv2d(
        data.expr, constant(spread), shape, call.attrs, total, reads, zero=zero
    )
    return Permuted(rewriter.builder.emit(result), NHWC, planes=planes).at(places)


def unit_of(call: relax.Call, step: MultiplyAdd, plane: int) -> int:
    """Return what the number of channels that a convolution computes is a multiple of.

    It is the lanes of a vector, or what makes the size of a map a multiple of ``plane`` elements,
    so that it can be joined with others; maps of one pixel are not worth that, nor twice the
    channels.
    """
    _, outer, height, width = (int(n) for n in call.ty.shape)
    unit = step.lanes
    # Shorter vectors take as much time as whole ones, which few channels need not fill.
    while unit > _FEWEST and outer <= unit // 2:
        unit //= 2
    if height * width == 1 or height * width * unit % plane == 0:
        return unit
    return wider(outer, unit, plane, _MOST_UNUSED)


def wider(outer: int, unit: int, wanted: int, most: float) -> int:
    """Return the wanted unit of channels, if not so many times as many are computed with it."""
    few, many = (outer + -outer % size for size in (unit, wanted))
    return wanted if many < most * few else unit


def filled_up(weight: np.ndarray, unit: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return weights for a multiple of ``unit`` output channels, and where the true ones are."""
    outer = weight.shape[3]
    missing = -outer % unit
    if not missing:
        return weight, None
    return np.pad(weight, [(0, 0)] * 3 + [(0, missing)]), np.arange(outer)


def ungrouped(weight: np.ndarray, groups: int) -> np.ndarray:
    """Return the weights of one group that computes what several do."""
    *kernel, inner, outer = weight.shape
    whole = np.zeros((*kernel, groups * inner, outer), weight.dtype)
    for number, part in enumerate(np.split(weight, groups, axis=3)):
        here = slice(number * outer // groups, (number + 1) * outer // groups)
        whole[:, :, number * inner : (number + 1) * inner, here] = part
    return whole


def _filled_groups(
    weight: np.ndarray, groups: int, step: MultiplyAdd, most: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return weights for as many outputs a group as vectors take, and where the true ones are."""

    def vectors(size: int) -> float:
        """Return how many vectors so many outputs a group fill, if the groups end with one."""
        for lanes in step.vectors():
            period = alignment(size, lanes)
            if groups * size % period == 0 and period // lanes <= most:
                return groups * size / lanes
        return math.inf

    outer = weight.shape[3] // groups
    if vectors(outer) < math.inf:
        return weight, None
    size = min(range(outer + 1, -(-outer // step.lanes) * step.lanes + 1), key=vectors)
    apart = weight.reshape(*weight.shape[:3], groups, outer)
    filled = np.pad(apart, [*[(0, 0)] * (apart.ndim - 1), (0, size - outer)])
    places = np.arange(groups * size).reshape(groups, size)[:, :outer].reshape(-1)
    return filled.reshape(*weight.shape[:3], groups * size), places
