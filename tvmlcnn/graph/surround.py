"""An operator of our own for frames: bytes around them, and beside the channels of their pixels.

``tvmlcnn.surround(frames, ...)``
    Maps of bytes, uint8, NCHW, with a byte of each channel around them: ``zeros``, and ``padding``
    (top, left, bottom, right); as codes of ``dtype``, which stand for the same numbers. With
    ``width`` the maps are NHWC, and pixels of the result have so many channels, of which the last
    ones are zeros of bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
import tvm
from tvm import relax
from tvm.ir import Op

from tvmlcnn import ops

from .operators import register
from .permuted import NHWC, Permuted
from .quantized_operators import AT_ONCE
from .rewriter import Rewriter

SURROUND = "tvmlcnn.surround"


def _type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    shape, width = [int(n) for n in call.args[0].ty.shape], int(call.attrs["width"])
    top, left, bottom, right = (int(n) for n in call.attrs["padding"])
    first = 1 if width else 2
    shape[first] += top + bottom
    shape[first + 1] += left + right
    if width:
        shape[3] = width
    return relax.TensorType(shape, str(call.attrs["dtype"]))


register(SURROUND, "Bytes with others around them.", _type)


def surround(
    frames: relax.Expr, zeros: Sequence[int], padding: Sequence[int], dtype: str, width: int = 0
) -> relax.Call:
    """Return a call of ``tvmlcnn.surround``."""
    attrs = tvm.ir.make_node(
        "ir.DictAttrs",
        zeros=[int(zero) for zero in zeros],
        padding=[int(n) for n in padding],
        dtype=dtype,
        width=width,
    )
    return relax.Call(Op.get(SURROUND), [frames], attrs)


def surround_permuted(rewriter: Rewriter, call: relax.Call) -> Permuted:
    """Surround channels-last maps, and leave room for whole steps of dot products."""
    data, attrs = rewriter.nhwc(call.args[0]), call.attrs
    channels = int(call.ty.shape[1])
    made = surround(
        data.expr,
        attrs["zeros"],
        attrs["padding"],
        str(attrs["dtype"]),
        -(-channels // AT_ONCE) * AT_ONCE,
    )
    return Permuted(rewriter.builder.emit(made), NHWC, np.arange(channels))


def surround_defined(builder: relax.BlockBuilder, call: relax.Call, gpu: bool) -> relax.Call:
    """Return the call of a function that computes ``tvmlcnn.surround`` of channels-last maps."""
    zeros, padding = ([int(n) for n in call.attrs[name]] for name in ("zeros", "padding"))
    width, dtype = int(call.attrs["width"]), str(call.attrs["dtype"])
    define = partial(ops.surround, zeros=zeros, padding=padding, width=width, dtype=dtype, gpu=gpu)
    return builder.call_te(define, call.args[0], primfunc_name_hint="surround")
