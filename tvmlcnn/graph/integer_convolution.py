"""Convolutions of channels-last codes.

An instruction multiplies several channels of a pixel as they lie: all of them are multiplied, with
zeros where they are not asked for.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvmlcnn.targets import MultiplyAdd

from .byte_channels import gathered, together
from .concatenate import aligned
from .constants import value_of
from .filled_convolution import convolved, depthwise, filled_up, ungrouped, unit_of, whole_pixels
from .permuted import NHWC, Permuted, compact
from .quantized_operators import AT_ONCE
from .rewriter import Rewriter

# A join that copies costs about an eighth of what computes the parts.
_MOST_FILLED = 1.125


def conv2d(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Convolve codes where they are, or brought together where they lie scattered."""
    attrs, weight = call.attrs, value_of(call.args[1])
    if weight is None or attrs.data_layout != "NCHW" or attrs.kernel_layout != "OIHW":
        return None
    groups, reads, places = int(attrs.groups), np.arange(0), None
    outer = int(call.ty.shape[1])
    data, step = rewriter.nhwc(call.args[0]), rewriter.multiply_add(call)
    weight = weight.transpose(2, 3, 1, 0)
    unit = _unit(call, step)
    if groups == outer > 1 and weight.shape[2] == 1:
        return depthwise(rewriter, call, data, weight, unit)
    if groups > 1:
        data = compact(rewriter.builder, data)
        weight, groups = _merged(weight, groups, step)
    if groups == 1:
        data = gathered(rewriter, data)
        data, weight, reads = whole_pixels(rewriter, data, weight, AT_ONCE, together)
        weight, places = filled_up(weight, unit)
    made = convolved(call, data, weight, groups, reads, zero=int(attrs.zero))
    return Permuted(rewriter.builder.emit(made), NHWC, places)


def _unit(call: relax.Call, step: MultiplyAdd) -> int:
    """Return what the number of computed channels is a multiple of.

    What joins the sums are mostly codes again, whose planes want to be lines of a cache, if that
    takes not many more channels.
    """
    outer = int(call.ty.shape[1])
    plain, joined = (unit_of(call, step, size) for size in (1, aligned(call.args[0])))
    sizes = [-(-outer // unit) * unit for unit in (plain, joined)]
    return joined if sizes[1] <= _MOST_FILLED * sizes[0] else plain


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
