"""Non-maximum suppression in torch."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from boxes import boxes_and_scores

from tvmlcnn import detection


def _greedy(boxes: torch.Tensor, scores: torch.Tensor, threshold: float) -> list[int]:
    """Return what torchvision documents, a pair of boxes at a time."""
    kept: list[int] = []
    for i in sorted(range(len(boxes)), key=lambda i: -float(scores[i])):
        if all(_iou(boxes[i], boxes[k]) <= threshold for k in kept):
            kept.append(i)
    return kept


def _iou(a: torch.Tensor, b: torch.Tensor) -> float:
    low, high = torch.maximum(a[:2], b[:2]), torch.minimum(a[2:], b[2:])
    shared = (high - low).clamp(min=0).prod()
    return float(shared / ((a[2:] - a[:2]).prod() + (b[2:] - b[:2]).prod() - shared))


@pytest.mark.parametrize(("size", "count"), [(1, 1), (10, 3), (60, 100)])
def test_torch_is_greedy(size: int, count: int) -> None:
    boxes, scores = boxes_and_scores(size)
    indices, number = detection.nms(boxes, scores, 0.4, count)
    expected = _greedy(boxes, scores, 0.4)[:count]
    assert indices.tolist() == expected + [-1] * (count - len(expected))
    assert int(number) == len(expected)


def test_mistakes() -> None:
    boxes, scores = boxes_and_scores(4)
    with pytest.raises(ValueError, match="boxes are"):
        detection.nms(boxes[:3], scores, 0.5, 3)
    with pytest.raises(ValueError, match="between 0 and 1"):
        detection.nms(boxes, scores, 5, 3)
    with pytest.raises(ValueError, match="at least one"):
        detection.nms(boxes, scores, 0.5, 0)
    with pytest.raises(ValueError, match="classes are"):
        detection.batched_nms(boxes, scores, scores, 0.5, 3)


def test_decoded_boxes() -> None:
    """Against the definition, a box at a time."""
    generator = torch.Generator().manual_seed(0)
    defaults, _ = boxes_and_scores(12)
    deltas = torch.randn(2, 12, 4, generator=generator) * 4
    deltas[0, 0, 2:] = 100  # is cut off
    weights = (10.0, 10.0, 5.0, 5.0)
    result = detection.decode_boxes(deltas, defaults, weights)
    assert result.shape == (2, 12, 4)
    for image, place in itertools.product(range(2), range(12)):
        dx, dy, dw, dh = (float(d) / w for d, w in zip(deltas[image, place], weights, strict=True))
        x1, y1, x2, y2 = map(float, defaults[place])
        width, height = (min(math.exp(d), 1000 / 16) for d in (dw, dh))
        width, height = width * (x2 - x1), height * (y2 - y1)
        x, y = (x1 + x2) / 2 + dx * (x2 - x1), (y1 + y2) / 2 + dy * (y2 - y1)
        expected = [x - width / 2, y - height / 2, x + width / 2, y + height / 2]
        assert result[image, place].tolist() == pytest.approx(expected, rel=1e-5, abs=1e-3)
