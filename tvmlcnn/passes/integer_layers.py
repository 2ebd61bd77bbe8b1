"""Compute with the codes of quantized numbers, not with the numbers.

torch's quantized programs say where numbers are rounded to codes, and compute with what the codes
stand for. A convolution of such numbers with quantized weights is the same convolution of the
integers, exactly, times the scales; what only moves numbers, or takes the greatest, moves codes;
and codes that are dequantized and quantized alike are the same codes. All else computes with
numbers: what element-wise operators make of a sum, up to the next codes, becomes a part of the
kernel that sums.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.graph import hard_swish, products_of_codes
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.code_operators import to_codes
from tvmlcnn.graph.constants import is_call_of, value_of
from tvmlcnn.graph.quantized_forms import (
    Centred,
    Codes,
    Form,
    Graph,
    HardSwish,
    Sums,
    Weights,
    lowered,
    scaled,
)
from tvmlcnn.graph.sums_as_bits import codes_by_bits
from tvmlcnn.graph.variables import bindings
from tvmlcnn.targets import FLOAT32, INT8, Device

from .integer_products import conv2d, matmul
from .means_of_codes import mean_of_codes
from .moved_codes import MOVES


def integer_layers(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that computes with codes of the type that a device multiplies best.

    Afterwards no operator quantizes or dequantizes: what is left of them are element-wise ones.
    """
    by_bits = device.codes == INT8.name and device.machine == "aarch64"
    return partial(_integer_layers, dtype=device.codes, by_bits=by_bits)


def _integer_layers(mod: tvm.IRModule, dtype: str | None, by_bits: bool) -> tvm.IRModule:
    names = (quantized.QUANTIZE, quantized.DEQUANTIZE, quantized.DEQUANTIZE_CHANNELS)
    if not any(is_call_of(b.value, name) for b in bindings(mod["main"]) for name in names):
        return mod
    rewrites: dict[str, Callable[..., Form | list[Form] | relax.Expr | None]] = {
        quantized.QUANTIZE: partial(_quantize, dtype=dtype, by_bits=by_bits),
        quantized.DEQUANTIZE: _dequantize,
        quantized.DEQUANTIZE_CHANNELS: _dequantize_channels,
        "relax.astype": _astype,
        "relax.subtract": _subtract,
        "relax.add": _add,
        "relax.nn.relu": partial(_clip, low=0.0, high=math.inf),
        "relax.nn.relu6": partial(_clip, low=0.0, high=6.0),
        "relax.clip": _clip,
        **MOVES,
    }
    if by_bits:
        rewrites |= {"relax.divide": hard_swish.divide, "relax.multiply": _multiply}
    if dtype is not None:
        rewrites["relax.nn.conv2d"] = partial(conv2d, dtype=dtype)
        rewrites["relax.matmul"] = partial(matmul, dtype=dtype)
        for name in ("relax.mean", "relax.nn.adaptive_avg_pool2d"):
            rewrites[name] = partial(mean_of_codes, dtype=dtype)
    return Graph(rewrites, lowered).run(mod)


_INTEGERS = float(2**31)
"""Numbers that are less become integers of 32 bits."""


def _quantize(
    graph: Graph, var: relax.Var, call: relax.Call, dtype: str | None, by_bits: bool
) -> Form:
    code, bounds = quantized.code_of(call), quantized.bounds_of(call)
    form = graph.form(call.args[0])
    wanted = code.of_type(dtype or code.dtype)
    if isinstance(form, Codes) and form.code == wanted and bounds == quantized.CODES[code.dtype]:
        return replace(form, dtype=code.dtype)
    shift = wanted.zero - code.zero
    least, greatest = (float(bound + shift) for bound in bounds)
    if by_bits and isinstance(form, Sums | HardSwish):
        within = _within(form, wanted, (least, greatest))
        if isinstance(form, Sums):
            codes = products_of_codes.codes_of(graph, var, form, wanted, within)
            if codes is None:
                codes = codes_by_bits(graph, var, form, wanted, within)
        else:
            codes = hard_swish.codes_of(graph, var, form, wanted, within)
        if codes is not None:
            return Codes(codes, wanted, code.dtype)
    if isinstance(form, Sums):
        # What the sums stand for is counted in steps of the codes at once.
        steps = scaled(graph, var, form, 1 / code.scale, wanted.zero)
        least = max(least, form.low / code.scale + wanted.zero)
        greatest = min(greatest, form.high / code.scale + wanted.zero)
        small = form.most(1 / code.scale) + abs(wanted.zero) < _INTEGERS
    else:
        # torch multiplies by the reciprocal, which it takes in double precision.
        factor = relax.const(1 / code.scale, FLOAT32.name)
        steps = graph.emit(relax.op.multiply(graph.plain(call.args[0]), factor), var)
        if wanted.zero:
            steps = graph.emit(
                relax.op.add(steps, relax.const(float(wanted.zero), FLOAT32.name)), var
            )
        # Where ARM makes integers of numbers, they saturate.
        small = by_bits
    # The bounds of the type need no comparison, as far as numbers become integers at all.
    low, high = quantized.CODES[wanted.dtype]
    least = least if round(least) > low else -math.inf
    greatest = greatest if round(greatest) < high or not small else math.inf
    if math.isfinite(least) or math.isfinite(greatest):
        steps = graph.emit(relax.op.clip(steps, least, greatest), var)
    return Codes(graph.emit(to_codes(steps, wanted.dtype), var), wanted, code.dtype)


def _within(
    form: Sums | HardSwish, code: quantized.Code, bounds: tuple[float, float]
) -> tuple[int, int]:
    """Return the least and the greatest code of what sums stand for, int8, within bounds."""
    low, high = quantized.CODES[INT8.name]
    own = (form.low, form.high) if isinstance(form, Sums) else (-math.inf, math.inf)
    least, greatest = (bound / code.scale + code.zero for bound in own)
    within = min(max(least, *map(float, (low, bounds[0]))), high)
    return round(within), round(max(min(greatest, high, bounds[1]), low))


def _dequantize(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    code, integers = quantized.code_of(call), value_of(call.args[0])
    if integers is not None:
        scales = np.full([1] * integers.ndim, code.scale, np.float32)
        return Weights(integers.astype(np.int32) - code.zero, scales)
    form = graph.form(call.args[0])
    if not isinstance(form, Codes):
        return Codes(graph.plain(call.args[0]), code, FLOAT32.name)
    # The same codes may stand for other numbers.
    return Codes(form.expr, code.of_type(form.code.dtype), FLOAT32.name)


def _dequantize_channels(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    integers, scales = map(value_of, call.args)
    assert integers is not None, "the import takes constants alone"
    assert scales is not None
    return Weights(integers.astype(np.int32), scales)


def _astype(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    """Let integers be codes of themselves."""
    dtype = str(call.args[0].ty.dtype)
    if dtype not in quantized.CODES or str(call.ty.dtype) != FLOAT32.name:
        return None
    if graph.form(call.args[0]) is not None:
        return None  # codes that stand for other numbers are their own integers here
    return Codes(graph.plain(call.args[0]), quantized.Code(1.0, 0, dtype), FLOAT32.name)


def _subtract(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    """Move the zero of bytes that are their own numbers, by channel."""
    form, taken = graph.form(call.args[0]), value_of(call.args[1])
    if not isinstance(form, Codes) or taken is None or form.code != quantized.Code(1.0, 0, "uint8"):
        return None
    low, high = quantized.CODES["uint8"]
    rank, channels = len(call.ty.shape), [int(n) for n in call.ty.shape][1:2]
    by_channel = rank == 4 and list(taken.shape) == [1, *channels, 1, 1]
    within = (taken == np.round(taken)).all() and low <= taken.min() and taken.max() <= high
    if form.dtype != FLOAT32.name or not by_channel or not within:
        return None
    return Centred(form.expr, taken.reshape(-1).astype(np.int64))


def _add(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    form, added = graph.form(call.args[0]), value_of(call.args[1])
    if added is None:
        return _joined(call, *map(graph.form, call.args))
    if not isinstance(form, Sums) or form.bounded:
        return None
    fits = added.ndim <= form.bias.ndim and added.size in (1, form.bias.size)
    if not fits or np.broadcast_shapes(added.shape, form.bias.shape) != form.bias.shape:
        return None
    return replace(form, bias=form.bias + added.astype(np.float64))


def _joined(call: relax.Call, left: Form | None, right: Form | None) -> Form | None:
    """Add numbers of codes to sums, whose scale is counted in them then."""
    sums, codes = (left, right) if isinstance(left, Sums) else (right, left)
    if not isinstance(sums, Sums) or not isinstance(codes, Codes) or codes.dtype != FLOAT32.name:
        return None
    shapes = {tuple(int(n) for n in argument.ty.shape) for argument in call.args}
    if sums.bounded or sums.beside is not None or len(shapes) > 1:
        return None
    return replace(sums, beside=codes)


def _clip(
    graph: Graph,
    var: relax.Var,
    call: relax.Call,
    low: float | None = None,
    high: float | None = None,
) -> Form | None:
    form = graph.form(call.args[0])
    if not isinstance(form, Sums):
        return None
    if low is None or high is None:
        low, high = (float(bound.value) for bound in call.args[1:])
    least, greatest = min(max(form.low, low), high), min(max(form.high, low), high)
    return replace(form, low=least, high=greatest)


def _multiply(graph: Graph, var: relax.Var, call: relax.Call) -> Form | None:
    found = hard_swish.multiply(graph, var, call)
    return found or products_of_codes.multiply(graph, var, call)
