"""What detectors end with, for modules that are to be compiled: decoding and suppression.

``torchvision.ops.nms`` returns as many boxes as there are, which a compiled model, all of whose
shapes are known, cannot. These functions return a given number of places, and how many of them
count; in torch they compute what torchvision does, and need no torchvision.
"""

from __future__ import annotations

import math

import torch

__all__ = ["batched_nms", "decode_boxes", "nms"]

_LONGEST = math.log(1000 / 16)
"""Largest logarithm of how many times as long as its default box a box is: torchvision's."""


def decode_boxes(
    deltas: torch.Tensor,
    defaults: torch.Tensor,
    weights: tuple[float, float, float, float] = (1.0, 1.0, 1.0, 1.0),
) -> torch.Tensor:
    """Return the boxes that a head predicts relative to default boxes (anchors, priors).

    The centre is moved by a part of the default box, the size is its size times an exponential:
    R. Girshick et al., Rich feature hierarchies (CVPR 2014), appendix C, as SSD and R-CNN have it.

    Parameters
    ----------
    deltas : torch.Tensor
        Shape (..., n, 4): of x, y, width and height.
    defaults : torch.Tensor
        Shape (n, 4): x1, y1, x2, y2.
    weights : tuple of float
        What the four were multiplied by in training: (10, 10, 5, 5) for torchvision's SSD.

    Returns
    -------
    torch.Tensor
        Shape (..., n, 4): x1, y1, x2, y2.
    """
    sizes = defaults[:, 2:] - defaults[:, :2]
    centres = defaults[:, :2] + sizes / 2
    moves = deltas / torch.tensor(weights, dtype=deltas.dtype)
    middle = moves[..., :2] * sizes + centres
    half = moves[..., 2:].clamp(max=_LONGEST).exp() * sizes / 2
    return torch.cat((middle - half, middle + half), -1)


def nms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float = -math.inf,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the places of the boxes that no better one overlaps too much, from the best on.

    Parameters
    ----------
    boxes : torch.Tensor
        Shape (..., n, 4), float32: x1, y1, x2, y2 with x1 <= x2 and y1 <= y2. In torch float64 is
        taken too.
    scores : torch.Tensor
        Shape (..., n), of the type of the boxes.
    iou_threshold : float
        A box is dropped where its intersection with a better one that was kept is more than this
        part of their union.
    max_boxes : int
        Most boxes that are kept.
    score_threshold : float
        Boxes whose score is not above this are dropped first.

    Returns
    -------
    indices : torch.Tensor
        Shape (..., max_boxes), int64; -1 after the last one.
    count : torch.Tensor
        Shape (...), int64: how many boxes were kept.

    Raises
    ------
    ValueError
        If the shapes or types do not fit, or a threshold or number is out of range.
    """
    _check(boxes, scores, iou_threshold, max_boxes)
    return _nms(boxes, scores, None, iou_threshold, max_boxes, score_threshold)


def batched_nms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float = -math.inf,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `nms` does, where only boxes of the same class suppress one another.

    Parameters
    ----------
    boxes, scores, iou_threshold, max_boxes, score_threshold
        As `nms` takes them.
    classes : torch.Tensor
        Shape (..., n), integers.

    Returns
    -------
    indices, count : torch.Tensor
        As `nms` returns them: the best boxes of all classes.

    Raises
    ------
    ValueError
        As `nms`.
    """
    _check(boxes, scores, iou_threshold, max_boxes)
    if classes.shape != scores.shape or classes.is_floating_point():
        raise ValueError(f"classes are to be integers of shape {tuple(scores.shape)}")
    return _nms(boxes, scores, classes, iou_threshold, max_boxes, score_threshold)


def _check(boxes: torch.Tensor, scores: torch.Tensor, iou_threshold: float, max_boxes: int) -> None:
    if boxes.shape != (*scores.shape, 4) or not scores.dim():
        shapes = tuple(boxes.shape), tuple(scores.shape)
        raise ValueError(f"boxes are (..., n, 4) and scores (..., n), not {shapes[0]}, {shapes[1]}")
    if boxes.dtype != scores.dtype or boxes.dtype not in (torch.float32, torch.float64):
        raise ValueError(f"boxes and scores are float32, not {boxes.dtype} and {scores.dtype}")
    if not 0 <= iou_threshold <= 1:
        raise ValueError(f"iou_threshold={iou_threshold}: it is between 0 and 1")
    if max_boxes < 1:
        raise ValueError(f"max_boxes={max_boxes}: at least one is needed")


@torch.library.custom_op("tvmlcnn::nms", mutates_args=())
def _nms(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor | None,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    size = scores.shape[-1]
    images = zip(
        boxes.reshape(-1, size, 4),
        scores.reshape(-1, size),
        [None] * scores.shape[:-1].numel() if classes is None else classes.reshape(-1, size),
        strict=True,
    )
    indices = scores.new_full((scores.shape[:-1].numel(), max_boxes), -1, dtype=torch.int64)
    counts = scores.new_zeros(len(indices), dtype=torch.int64)
    for row, (box, score, label) in enumerate(images):
        kept = _kept(box, score, label, iou_threshold, max_boxes, score_threshold)
        indices[row, : len(kept)], counts[row] = kept, len(kept)
    return indices.reshape(*scores.shape[:-1], max_boxes), counts.reshape(scores.shape[:-1])


@_nms.register_fake
def _(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor | None,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    shape = scores.shape[:-1]
    indices = scores.new_empty((*shape, max_boxes), dtype=torch.int64)
    return indices, scores.new_empty(shape, dtype=torch.int64)


def _kept(
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor | None,
    iou_threshold: float,
    max_boxes: int,
    score_threshold: float,
) -> torch.Tensor:
    """Return the places of the boxes of one image that are kept, by torchvision's greedy way."""
    order = torch.sort(scores, descending=True, stable=True).indices
    if score_threshold > -math.inf:
        order = order[scores[order] > score_threshold]
    ordered = boxes[order]
    areas = (ordered[:, 2] - ordered[:, 0]) * (ordered[:, 3] - ordered[:, 1])
    left = torch.ones(len(order), dtype=torch.bool)
    kept: list[int] = []
    for place in range(len(order)):
        if not left[place]:
            continue
        kept.append(place)
        if len(kept) == max_boxes:
            break
        low = torch.maximum(ordered[place, :2], ordered[:, :2])
        high = torch.minimum(ordered[place, 2:], ordered[:, 2:])
        shared = (high - low).clamp(min=0).prod(1)
        over = (shared / (areas[place] + areas - shared)).double() > iou_threshold
        if classes is not None:
            over &= classes[order] == classes[order[place]]
        left &= ~over
    return order[kept]
