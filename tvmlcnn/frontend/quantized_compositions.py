"""Quantizing with scales that a network computes, or that are many, written in ATen's operators.

They are those of torch's library ``quantized_decomposed``, as torch computes them (see its
``torch/ao/quantization/fx/_decomposed.py``). Programs have them that were quantized dynamically,
or by token.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.ao.quantization.fx._decomposed
from torch import Tensor

quantized = torch.ops.quantized_decomposed

_UNSIGNED_ZERO = 128
_TOKEN_LEAST, _TOKEN_STEPS = 1e-5, 127
"""The least maximum of a token, and how many steps of int8 it is."""


def _choose_qparams(
    input: Tensor, qmin: int, qmax: int, eps: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    least, greatest = input.amin().clamp(max=0), input.amax().clamp(min=0)
    scale = ((greatest - least) / float(qmax - qmin)).clamp(min=eps)
    zero = (qmin - torch.round(least / scale)).clamp(qmin, qmax)
    return scale.to(torch.float64).reshape(1), zero.to(torch.int64).reshape(1)


def _choose_qparams_symmetric(
    input: Tensor, qmin: int, qmax: int, eps: float, dtype: torch.dtype
) -> tuple[Tensor, Tensor]:
    scale = (input.abs().amax() / (float(qmax - qmin) / 2)).clamp(min=eps)
    zero = _UNSIGNED_ZERO if dtype == torch.uint8 else 0
    return scale.to(torch.float64).reshape(1), torch.full([1], zero, dtype=torch.int64)


def _choose_qparams_per_token(input: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    scales = input.abs().amax(dim=-1, keepdim=True).float()
    scales = scales.clamp(min=_TOKEN_LEAST).div(_TOKEN_STEPS)
    return scales, torch.zeros_like(scales)


def _quantize_per_token(
    input: Tensor,
    scales: Tensor,
    zero_points: Tensor,
    quant_min: int,
    quant_max: int,
    dtype: torch.dtype,
) -> Tensor:
    steps = input * (1.0 / scales) + zero_points
    return steps.round().clamp(quant_min, quant_max).to(dtype)


def _dequantize_per_token(
    input: Tensor,
    scales: Tensor,
    zero_points: Tensor,
    quant_min: int,
    quant_max: int,
    dtype: torch.dtype,
    output_dtype: torch.dtype = torch.float32,
) -> Tensor:
    return ((input - zero_points) * scales).to(output_dtype)


def _quantize_per_channel(
    input: Tensor,
    scales: Tensor,
    zero_points: Tensor,
    axis: int,
    quant_min: int,
    quant_max: int,
    dtype: torch.dtype,
) -> Tensor:
    along = [1] * input.dim()
    along[axis] = -1
    steps = torch.round(input * (1.0 / scales).reshape(along)) + zero_points.reshape(along)
    return steps.clamp(quant_min, quant_max).to(dtype)


QUANTIZED_COMPOSITIONS: dict[torch._ops.OperatorBase, Callable[..., Any]] = {
    quantized.choose_qparams.tensor: _choose_qparams,
    quantized.choose_qparams_symmetric.tensor: _choose_qparams_symmetric,
    quantized.choose_qparams_per_token.default: _choose_qparams_per_token,
    quantized.choose_qparams_per_token_asymmetric.default: (
        quantized._choose_qparams_per_token_asymmetric_impl.default
    ),
    quantized.quantize_per_token.default: _quantize_per_token,
    quantized.dequantize_per_token.default: _dequantize_per_token,
    quantized.quantize_per_channel.default: _quantize_per_channel,
}
"""What each operator is made of."""
