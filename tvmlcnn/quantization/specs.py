"""How a tensor is quantized, and what observes its range."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torchao.quantization.pt2e import (
    FusedMovingAvgObsFakeQuantize,
    MinMaxObserver,
    MovingAverageMinMaxObserver,
    MovingAveragePerChannelMinMaxObserver,
    PerChannelMinMaxObserver,
)
from torchao.quantization.pt2e.quantizer import QuantizationSpec

from tvmlcnn.targets import WeightBounds

ACTIVATION = QuantizationSpec(
    torch.uint8,
    MinMaxObserver.with_args(),
    quant_min=0,
    quant_max=255,
    qscheme=torch.per_tensor_affine,
)
"""Of what kernels take and give: bytes, since that is what dot products multiply with weights.

Of the ranges that can be observed, the whole one loses least where biases are corrected. Signal to
noise of mobilenet_v2's scores with ImageNet's weights, over 60 crops of photos after 24 others:
17.3 dB; by moving averages of 0.01 17.0 and of 0.1 9.7; by the least squared error of each tensor
by itself 10.1. Rare large values are what decides.
"""

WEIGHT = QuantizationSpec(
    torch.int8,
    PerChannelMinMaxObserver.with_args(),
    quant_min=-127,  # without -128, of which no byte is the opposite
    quant_max=127,
    qscheme=torch.per_channel_symmetric,
    ch_axis=0,
)


_TOGETHER = 16
"""Inner channels that lie in a vector of codes, every other one in one half of its pairs."""


class BoundedSumsObserver(PerChannelMinMaxObserver):
    """Widens the range of channels whose weights would be too large together.

    Of as many inner channels as the bound is for; where they do not fill vectors no bound helps.

    Parameters
    ----------
    bounds : WeightBounds
    **options
        What its base class takes.
    """

    def __init__(self, bounds: WeightBounds, **options: Any) -> None:
        super().__init__(**options)
        self._bounds = bounds

    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        """Observe weights, shape (outer, inner, ...)."""
        super().forward(weight)
        if weight.shape[1] % _TOGETHER == 0:
            pairs = weight.detach().abs().unflatten(1, (-1, _TOGETHER // 2, 2))
            sums = pairs.sum(2).flatten(1).amax(1)
            # Rounding adds half a step to each at most.
            most = self._bounds.together - _TOGETHER / 2 / 2
            needed = torch.maximum(self.max_val, sums * self._bounds.largest / most)
            self.max_val.copy_(needed)
        return weight


def dense_weight(bounds: WeightBounds) -> QuantizationSpec:
    """Return how weights are quantized that several codes of a pixel are multiplied by at once."""
    spec = replace(WEIGHT, quant_min=-bounds.largest, quant_max=bounds.largest)
    if not bounds.together:
        return spec
    observer = BoundedSumsObserver.with_args(bounds=bounds)
    return replace(spec, observer_or_fake_quant_ctr=observer)


TRAINED_ACTIVATION = replace(
    ACTIVATION,
    observer_or_fake_quant_ctr=FusedMovingAvgObsFakeQuantize.with_args(
        observer=MovingAverageMinMaxObserver
    ),
)
TRAINED_WEIGHT = replace(
    WEIGHT,
    observer_or_fake_quant_ctr=FusedMovingAvgObsFakeQuantize.with_args(
        observer=MovingAveragePerChannelMinMaxObserver
    ),
)
"""While the network is trained they round, and follow the weights as these move."""
