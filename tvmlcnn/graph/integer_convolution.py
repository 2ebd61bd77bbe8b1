"""Convolutions of channels-last codes.

An instruction multiplies several channels of a pixel as they lie: all of them are multiplied, with
zeros where they are not asked for.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import tvm
from tvm import relax

from tvmlcnn import ops
from tvmlcnn.ops import Window
from tvmlcnn.ops.shuffle import LANES
from tvmlcnn.targets import CODES, MultiplyAdd

from . import operators
from .attributes import ints
from .byte_channels import gathered, together
from .concatenate import aligned
from .constants import constant, value_of
from .filled_convolution import (
    convolved,
    depthwise,
    filled_up,
    ungrouped,
    unit_of,
    whole_pixels,
    wider,
)
from .permuted import NHWC, OPAQUE, Permuted
from .quantized_operators import AT_ONCE
from .rewriter import Rewriter

# A join that copies costs about an eighth of what computes the parts.
_MOST_FILLED = 1.125
# Codes of which four products are added in 16 bits, where two are of fewer.
_PAIRED = 8


def conv2d(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Convolve codes where they are, or brought together where they lie scattered."""
    attrs, weight = call.attrs, value_of(call.args[1])
    if weight is None or attrs.data_layout != "NCHW" or attrs.kernel_layout != "OIHW":
        return None
    groups, reads, places = int(attrs.groups), np.arange(0), None
    outer = int(call.ty.shape[1])
    data, step = rewriter.nhwc(call.args[0]), rewriter.multiply_add(call)
    weight = weight.transpose(2, 3, 1, 0)
    codes = rewriter.device.multiply_add(CODES[str(call.args[0].ty.dtype)])
    unit = _unit(call, step, codes)
    if groups == outer > 1 and weight.shape[2] == 1:
        return depthwise(rewriter, call, data, weight, unit)
    if groups > 1:
        data = rewriter.compact(data)
        weight, groups = _merged(weight, groups, step)
    if groups == 1 and (taps := _of_a_patch(weight, call, data, codes)) is not None:
        patches = _patches(rewriter, call, data, taps)
        weight, filled = filled_up(_flat(weight), unit)
        plain = {**dict(attrs.items()), "strides": [1, 1], "padding": [0, 0, 0, 0]}
        steps = tvm.ir.make_node("ir.DictAttrs", **plain)
        shape = (*ints(patches.ty.shape)[:3], weight.shape[3])
        made = operators.conv2d(patches, constant(weight), shape, steps, 1)
        return Permuted(rewriter.builder.emit(made), NHWC, filled)
    if groups == 1:
        data = gathered(rewriter, data)
        data, weight, reads = whole_pixels(rewriter, data, weight, AT_ONCE, together)
        weight, places = filled_up(weight, unit)
    made = convolved(call, data, weight, groups, reads, zero=int(attrs.zero))
    return Permuted(rewriter.builder.emit(made), NHWC, places)


def _of_a_patch(
    weight: np.ndarray, call: relax.Call, data: Permuted, step: MultiplyAdd
) -> np.ndarray | None:
    """Return where the codes lie that a pixel reads, as `tvmlcnn.ops.patches` takes them.

    None where it is not worth it to bring them together. A step multiplies codes of one tap, which
    are few then: a load serves one step alone, and where products are added in 16 bits first, those
    of a tap are added to 32 by themselves.
    """
    rows, columns, inner, _ = weight.shape
    width = data.shape[3] + -data.shape[3] % AT_ONCE
    together = data.planes == 1 and np.array_equal(data.located(), np.arange(inner))
    few = rows * columns > 1 and columns * width <= LANES and rows * columns * inner <= 2 * LANES
    if not (step.by_lane and few and together) or any(n > 1 for n in ints(call.attrs.dilation)):
        return None
    row, tap, channel = np.indices((rows, columns, inner))
    found = (row * LANES + tap * width + channel).reshape(-1)
    return np.pad(found, (0, -len(found) % LANES), constant_values=-1)


def _flat(weight: np.ndarray) -> np.ndarray:
    """Return weights for the codes of patches."""
    flat = weight.reshape(1, 1, -1, weight.shape[3])
    return np.pad(flat, [(0, 0)] * 2 + [(0, -flat.shape[2] % LANES), (0, 0)])


def _patches(rewriter: Rewriter, call: relax.Call, data: Permuted, taps: np.ndarray) -> relax.Var:
    """Return what each pixel reads, brought together."""
    batch, _, height, width = ints(call.ty.shape)
    window = Window(tuple(ints(call.attrs.strides)), tuple(ints(call.attrs.padding)))
    made = rewriter.builder.call_te(
        partial(
            ops.patches,
            places=taps,
            window=window,
            shape=(batch, height, width, len(taps)),
            zero=int(call.attrs.zero),
        ),
        rewriter.widened(data, AT_ONCE).expr,
        primfunc_name_hint="patches",
        primfunc_attrs={"op_pattern": OPAQUE},
    )
    return rewriter.builder.emit(made)


def _unit(call: relax.Call, step: MultiplyAdd, codes: MultiplyAdd) -> int:
    """Return what the number of computed channels is a multiple of.

    What joins the sums are mostly codes again, whose planes want to be lines of a cache, and which
    are multiplied by whole vectors of them where few would be added in 16 bits otherwise, if that
    takes not many more channels.
    """
    _, outer, height, width = ints(call.ty.shape)
    unit, joined = (unit_of(call, step, size) for size in (1, aligned(call.args[0])))
    if codes.paired and height * width > 1 and (outer + -outer % unit) % _PAIRED:
        joined = LANES
    return wider(outer, unit, joined, _MOST_FILLED)


def _merged(weight: np.ndarray, groups: int, step: MultiplyAdd) -> tuple[np.ndarray, int]:
    """Return the weights of fewer groups that compute what several small ones do, and how many.

    They read as many codes as are multiplied at a time, and fill vectors; all are one where no
    number of them does. Half of the products, or more, are with zeros then.
    """
    inner, outer = weight.shape[2], weight.shape[3] // groups
    count = next(
        n
        for n in range(1, groups + 1)
        if n == groups or (groups % n == n * inner % AT_ONCE == n * outer % step.lanes == 0)
    )
    parts = np.split(weight, groups // count, axis=3)
    return np.concatenate([ungrouped(part, count) for part in parts], axis=3), groups // count
