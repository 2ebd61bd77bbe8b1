"""Random boxes, for tests of suppression."""

from __future__ import annotations

import torch


def boxes_and_scores(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    corner = torch.rand(*shape, 2, generator=generator) * 100
    size = torch.rand(*shape, 2, generator=generator) * 40
    # Few different scores, so that many are equal.
    scores = (torch.rand(*shape, generator=generator) * 16).round() / 16
    return torch.cat((corner, corner + size), -1), scores
