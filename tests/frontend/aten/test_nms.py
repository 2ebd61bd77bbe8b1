"""Non-maximum suppression, compiled, against what `tvmlcnn.detection` computes in torch."""

from __future__ import annotations

import pytest
import torch
from against_torch import compare

from tvmlcnn import detection


def _boxes(*shape: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(sum(shape))
    corner = torch.rand(*shape, 2, generator=generator) * 100
    size = torch.rand(*shape, 2, generator=generator) * 40
    # Few different scores, so that many are equal.
    scores = (torch.rand(*shape, generator=generator) * 16).round() / 16
    return torch.cat((corner, corner + size), -1), scores


@pytest.mark.parametrize("size", [1, 10, 300])
def test_compiled(size: int) -> None:
    boxes, scores = _boxes(2, size)
    classes = torch.arange(2 * size).reshape(2, size) % 3
    kernels = compare(
        lambda b, s, c: (
            detection.nms(b, s, 0.4, 20),
            detection.batched_nms(b, s, c, 0.4, 40, 0.5),
            detection.nms(b[0], s[0], 0.4, 20),
        ),
        boxes,
        scores,
        classes,
    )
    assert "suppress" in kernels["rows"]
