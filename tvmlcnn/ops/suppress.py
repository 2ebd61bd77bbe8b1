"""Non-maximum suppression: boxes that no better box overlaps too much."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from tvm import te, tirx
from tvm.ir import Expr
from tvm.script.ir_builder import tirx as T

from tvmlcnn.targets import FLOAT32

from .rows import Result, rows, variable, written

_ABREAST = 32  # boxes that are compared before it is asked whether one of them overlaps


def suppress(
    boxes: te.Tensor,
    scores: te.Tensor,
    order: te.Tensor,
    *classes: te.Tensor,
    threshold: float,
    least: float,
    count: int,
    gpu: bool,
) -> list[te.Tensor]:
    """Return the places of the boxes that are kept, from the best on; then what was scratch.

    Greedy, as torchvision's: a box is dropped where its intersection with a better one that was
    kept is more than ``threshold`` of their union. Each candidate is compared with the boxes that
    were kept so far, of which there are few, several at once.

    Parameters
    ----------
    boxes : te.Tensor
        Shape (images, n, 4), float32: x1, y1, x2, y2.
    scores : te.Tensor
        Shape (images, n), float32.
    order : te.Tensor
        Shape (images, n), int64: the places of the boxes from the best on.
    *classes : te.Tensor
        Where given, shape (images, n), int32: only boxes of the same class suppress one another.
    threshold : float
    least : float
        Boxes whose score is not above this are dropped.
    count : int
        Most boxes that are kept of an image.
    gpu : bool

    Returns
    -------
    list of te.Tensor
        Places, int64 of shape (images, count), -1 after the last one; how many there are, int64 of
        shape (images, 1); scratch.
    """
    images, size = (int(n) for n in scores.shape)
    room = -(-count // _ABREAST) * _ABREAST
    limit = _largest_below(threshold)

    def body(*buffers: Any) -> None:
        corners, score, places = buffers[:3]
        labels = buffers[3 : 3 + len(classes)]
        kept, number, found, of = buffers[3 + len(classes) :]
        nan = tirx.const(math.nan, FLOAT32.name)
        with rows(images, gpu) as image:
            with T.serial(0, 5) as field, T.serial(0, room) as i:
                found[image, field, i] = nan  # which overlaps nothing
            with T.serial(0, room) as i:
                of[image, i] = tirx.const(-1, "int32")
            with T.serial(0, count) as i:
                kept[image, i] = tirx.const(-1, "int64")
            filled, candidate = variable(0, "int32"), variable(0, "int32")
            with T.While(tirx.all(candidate[0] < size, filled[0] < count)):
                place = variable(places[image, candidate[0]], "int32")
                box = [variable(corners[image, place[0], i], FLOAT32.name)[0] for i in range(4)]
                area = variable((box[2] - box[0]) * (box[3] - box[1]), FLOAT32.name)[0]
                label = variable(labels[0][image, place[0]] if labels else -1, "int32")
                free = variable(1, "int32")
                if least > -math.inf:
                    worth, enough = score[image, place[0]], tirx.const(least, FLOAT32.name)
                    free[0] = tirx.Cast("int32", worth > enough)
                    with T.If(worth <= enough), T.Then():
                        candidate[0] = tirx.const(size, "int32")  # no later one has a higher score
                start = variable(0, "int32")
                hits = T.buffer_proxy(T.alloc_buffer((_ABREAST,), "int32", scope="local"))
                with T.While(tirx.all(free[0] != 0, start[0] < filled[0])):
                    with (T.serial if gpu else T.vectorized)(0, _ABREAST) as lane:
                        other = [found[image, i, start[0] + lane] for i in range(5)]
                        over = _overlap(other, box, area) > tirx.const(limit, FLOAT32.name)
                        same = of[image, start[0] + lane] == label[0]
                        hits[lane] = tirx.Cast("int32", tirx.all(over, same))
                    hit = variable(0, "int32")
                    with T.serial(0, _ABREAST) as lane:
                        hit[0] = tirx.bitwise_or(hit[0], hits[lane])
                    free[0] = 1 - hit[0]
                    start[0] = start[0] + _ABREAST
                with T.If(free[0] != 0), T.Then():
                    for i, value in enumerate([*box, area]):
                        found[image, i, filled[0]] = value
                    of[image, filled[0]] = label[0]
                    kept[image, filled[0]] = tirx.Cast("int64", place[0])
                    filled[0] = filled[0] + 1
                candidate[0] = candidate[0] + 1
            number[image, 0] = tirx.Cast("int64", filled[0])

    results = [
        Result((images, count), "int64"),
        Result((images, 1), "int64"),
        Result((images, 5, room), FLOAT32.name),
        Result((images, room), "int32"),
    ]
    return written([body], [boxes, scores, order, *classes], results, "suppress")


def _overlap(other: list[Expr], box: list[Expr], area: Expr) -> Expr:
    """Return the intersection over the union of a box and others, which have their areas last."""
    zero = tirx.const(0, FLOAT32.name)
    width = tirx.max(zero, tirx.min(other[2], box[2]) - tirx.max(other[0], box[0]))
    height = tirx.max(zero, tirx.min(other[3], box[3]) - tirx.max(other[1], box[1]))
    shared = width * height
    return shared / (other[4] + area - shared)


def _largest_below(value: float) -> float:
    """Return the largest float32 that is not above a float64: torchvision compares with that."""
    near = np.float32(value)
    return float(near if near <= value else np.nextafter(near, np.float32(-math.inf)))
