"""Frames of bytes, as the first layer of an integer network takes them."""

from __future__ import annotations

import numpy as np
from tvm import relax

import tvmlcnn.frontend.frames  # noqa: F401 - its operator is to be known where a program is loaded
from tvmlcnn.graph.constants import constant

from .emitter import Call, Converter, Emitter, Value


def _centred(emit: Emitter, call: Call) -> Value:
    image = emit.cast(emit(relax.op.permute_dims, call.frame, [0, 3, 1, 2]), "float32")
    zeros = np.array(call.zeros, np.float32).reshape(1, -1, 1, 1)
    return emit(relax.op.subtract, image, constant(zeros))


TABLE: dict[str, Converter] = {"tvmlcnn.centred.default": _centred}
