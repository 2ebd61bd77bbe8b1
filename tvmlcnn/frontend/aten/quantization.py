"""Quantizing and dequantizing, as torch's exported programs say it (PT2E).

The operators are those of torch's library ``quantized_decomposed``, which programs hold that
torchao or torch converted. What kernels of codes do not take, as scales that are computed and
codes of 16 bits, is rounded in float32 as torch does; `float_codes` tells of it.
"""

from __future__ import annotations

import numpy as np
import torch.ao.quantization.fx._decomposed  # noqa: F401  (torch knows the operators then)
from tvm import relax

from tvmlcnn.graph import quantized_operators

from .emitter import Call, Converter, Emitter, Value, dtype_of, value_of

LIBRARY = "quantized_decomposed"
_CODES = quantized_operators.CODES


def _name(operator: str) -> str:
    return f"{LIBRARY}.{operator}"


def _static(value: Value) -> float | None:
    """Return a number that is known, None for one that the network computes."""
    array = value_of(value) if isinstance(value, relax.Expr) else np.asarray(value)
    return None if array is None else float(array.reshape(-1)[0])


def _code(call: Call, dtype: str | None) -> quantized_operators.Code | None:
    """Return what kernels know codes by, None for codes that they do not take."""
    scale, zero = _static(call.scale), _static(call.zero_point)
    if dtype not in _CODES or scale is None or zero is None:
        return None
    if not np.isfinite(scale) or scale <= 0:
        raise ValueError(f"a scale of {scale}; it is to be positive")
    return quantized_operators.Code(scale, int(zero), dtype)


def _quantize(emit: Emitter, call: Call) -> Value:
    data, code = emit.cast(call.input, "float32"), _code(call, call.dtype_)
    low, high = _static(call.quant_min), _static(call.quant_max)
    if code is not None and low is not None and high is not None:
        return emit(quantized_operators.quantize, data, code, (int(low), int(high)))
    inverse = emit(relax.op.divide, emit.scalar(1, "float64"), _number(emit, call.scale, "float64"))
    steps = emit(relax.op.multiply, data, emit.cast(inverse, "float32"))
    steps = emit(relax.op.add, emit(relax.op.round, steps), _number(emit, call.zero_point))
    steps = emit(relax.op.maximum, steps, _number(emit, call.quant_min))
    return emit.cast(emit(relax.op.minimum, steps, _number(emit, call.quant_max)), call.dtype_)


def _dequantize(emit: Emitter, call: Call) -> Value:
    code = _code(call, dtype_of(call.input))
    if code is not None:
        return emit(quantized_operators.dequantize, call.input, code)
    zero = _number(emit, call.zero_point)
    steps = emit(relax.op.subtract, emit.cast(call.input, "float32"), zero)
    return emit(relax.op.multiply, steps, _number(emit, call.scale))


def _number(emit: Emitter, value: Value, dtype: str = "float32") -> relax.Expr:
    """Return a number, or a tensor of one, without axes."""
    cast = emit.cast(value, dtype)
    return emit.reshape(cast, ())


def _dequantize_channels(emit: Emitter, call: Call) -> Value:
    codes, scales = value_of(call.input), value_of(call.scales)
    zeros = None if call.zero_points is None else value_of(call.zero_points)
    symmetric = call.zero_points is None or (zeros is not None and not zeros.any())
    along = [1] * len(call.shape_)
    along[int(call.axis)] = -1
    if symmetric and scales is not None and codes is not None and codes.dtype.name in _CODES:
        scales = scales.astype(np.float32).reshape(along)
        return emit(quantized_operators.dequantize_channels, call.input, scales)
    along[int(call.axis)] = call.shape_[int(call.axis)]
    steps = emit.cast(call.input, "float32")
    if call.zero_points is not None:
        zero = emit.reshape(emit.cast(call.zero_points, "float32"), along)
        steps = emit(relax.op.subtract, steps, zero)
    return emit(relax.op.multiply, steps, emit.reshape(emit.cast(call.scales, "float32"), along))


WEIGHTS = frozenset(
    _name(operator)
    for operator in (
        "dequantize_per_channel.default",
        "dequantize_per_tensor.default",
        "dequantize_per_tensor.tensor",
    )
)
"""What is imported although it depends on constants alone: kernels read the integers."""

TABLE: dict[str, Converter] = {
    _name("quantize_per_tensor.default"): _quantize,
    _name("quantize_per_tensor.tensor"): _quantize,
    _name("dequantize_per_tensor.default"): _dequantize,
    _name("dequantize_per_tensor.tensor"): _dequantize,
    _name("dequantize_per_channel.default"): _dequantize_channels,
}
