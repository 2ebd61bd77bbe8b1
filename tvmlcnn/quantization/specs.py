"""How a tensor is quantized, and what observes its range."""

from __future__ import annotations

import torch
from torchao.quantization.pt2e import (
    MinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import QuantizationSpec

ACTIVATION = QuantizationSpec(
    torch.uint8,
    MinMaxObserver.with_args(),
    quant_min=0,
    quant_max=255,
    qscheme=torch.per_tensor_affine,
)
"""Of what kernels take and give: bytes, since that is what dot products multiply with weights."""

WEIGHT = QuantizationSpec(
    torch.int8,
    PerChannelMinMaxObserver.with_args(),
    quant_min=-127,  # -128 has no opposite: 127 a side lets a sign be moved, and sums be bounded
    quant_max=127,
    qscheme=torch.per_channel_symmetric,
    ch_axis=0,
)
