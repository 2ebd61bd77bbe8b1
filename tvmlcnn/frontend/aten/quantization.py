"""Quantizing and dequantizing, as torch's exported programs say it (PT2E).

The operators are those of torch's library ``quantized_decomposed``, which programs hold that
torchao or torch converted.
"""

from __future__ import annotations

import numpy as np
import torch.ao.quantization.fx._decomposed  # noqa: F401  (torch knows the operators then)
from tvm import relax

from tvmlcnn.graph import quantized_operators

from .emitter import Call, Converter, Emitter, Value, dtype_named, dtype_of, value_of

LIBRARY = "quantized_decomposed"


def _name(operator: str) -> str:
    return f"{LIBRARY}.{operator}"


def _number(value: Value) -> float:
    array = value_of(value) if isinstance(value, relax.Expr) else np.asarray(value)
    if array is None or array.size != 1:
        raise ValueError("the scale or the zero point is not known; only static ones can be had")
    return float(array.reshape(-1)[0])


def _quantize(emit: Emitter, call: Call) -> Value:
    dtype = dtype_named(call.raw["dtype"])
    if dtype not in quantized_operators.CODES:
        raise ValueError(f"codes of {call.raw['dtype']}: {_KNOWN}")
    code = quantized_operators.Code(_scale(call.scale), int(_number(call.zero_point)), dtype)
    bounds = int(_number(call.quant_min)), int(_number(call.quant_max))
    return emit(quantized_operators.quantize, emit.cast(call.input, "float32"), code, bounds)


def _dequantize(emit: Emitter, call: Call) -> Value:
    dtype = dtype_of(call.input)
    if dtype not in quantized_operators.CODES:
        raise ValueError(f"codes of {dtype}: {_KNOWN}")
    code = quantized_operators.Code(_scale(call.scale), int(_number(call.zero_point)), dtype)
    return emit(quantized_operators.dequantize, call.input, code)


def _dequantize_channels(emit: Emitter, call: Call) -> Value:
    codes, scales = value_of(call.input), value_of(call.scales)
    zeros = None if call.zero_points is None else value_of(call.zero_points)
    if codes is None or scales is None or (call.zero_points is not None and zeros is None):
        raise ValueError("tensors that are no constants cannot have scales by channel")
    along = [1] * codes.ndim
    along[int(call.axis)] = -1
    if zeros is not None and zeros.any():
        values = codes.astype(np.float32) - zeros.astype(np.float32).reshape(along)
        values = values * scales.astype(np.float32).reshape(along)
        return relax.const(values.astype(np.float32), "float32")
    scales = scales.astype(np.float32).reshape(along)
    return emit(quantized_operators.dequantize_channels, call.input, scales)


def _scale(value: Value) -> float:
    scale = _number(value)
    if not np.isfinite(scale) or scale <= 0:
        raise ValueError(f"a scale of {scale}; it is to be positive")
    return scale


_KNOWN = f"only those of {' and '.join(quantized_operators.CODES)} can be had"

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
