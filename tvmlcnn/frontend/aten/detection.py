"""Non-maximum suppression with a fixed number of boxes: `tvmlcnn.detection`."""

from __future__ import annotations

import math

from tvm import relax

import tvmlcnn.detection  # noqa: F401 - its operator is to be known where a program is loaded
from tvmlcnn.errors import UserError
from tvmlcnn.graph import rows

from .emitter import Call, Converter, Emitter, Value, dtype_of, shape_of
from .ordering import sorted_along


def _nms(emit: Emitter, call: Call) -> list[Value]:
    """Sort the boxes by their scores, and go through them from the best on."""
    if dtype_of(call.scores) != "float32":
        raise UserError("boxes and scores are to be float32")
    shape = shape_of(call.scores)
    images, size = math.prod(shape[:-1]), shape[-1]
    scores = emit.reshape(call.scores, [images, size])
    boxes = emit.reshape(call.boxes, [images, size, 4])
    classes = call.classes
    if classes is not None:
        classes = emit.reshape(emit.cast(classes, "int32"), [images, size])
    _, order = sorted_along(emit, scores, 1, size, True)
    limits = float(call.iou_threshold), float(call.score_threshold), int(call.max_boxes)
    both = emit(rows.suppress, boxes, scores, order, classes, *limits)
    indices, count = (emit(relax.TupleGetItem, both, i) for i in (0, 1))
    return [
        emit.reshape(indices, [*shape[:-1], call.max_boxes]),
        emit.reshape(count, shape[:-1]),
    ]


TABLE: dict[str, Converter] = {"tvmlcnn.nms.default": _nms}
