"""Maps at places that tensors say: sampling by a grid, and the alignment of regions."""

from __future__ import annotations

import math

from tvmlcnn.errors import UserError
from tvmlcnn.graph import rows

from .emitter import Call, Converter, Emitter, Value, shape_of

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _flat(emit: Emitter, data: Value) -> Value:
    """Return maps with their places as one axis."""
    batch, channels, *sizes = shape_of(data)
    return emit.reshape(emit.cast(data, "float32"), [batch, channels, math.prod(sizes)])


def _grid_sample(emit: Emitter, call: Call) -> Value:
    data, grid = call.input, emit.cast(call.grid, "float32")
    batch, *points, rank = shape_of(grid)
    grid = emit.reshape(grid, [batch, math.prod(points), rank])
    mode, padding = _MODES[call.interpolation_mode], _PADDINGS[call.padding_mode]
    sizes = shape_of(data)[2:]
    align = bool(call.align_corners)
    sampled = emit(rows.grid_sample, _flat(emit, data), grid, sizes, mode, padding, align)
    return emit.cast(emit.reshape(sampled, call.shape_), call.dtype_)


def _roi_align(emit: Emitter, call: Call) -> Value:
    if call.sampling_ratio < 1:
        raise UserError("how many samples a bin has depends on the boxes; give sampling_ratio")
    data = call.input
    bins = call.pooled_height, call.pooled_width
    sampled = emit(
        rows.roi_align,
        _flat(emit, data),
        emit.cast(call.rois, "float32"),
        shape_of(data)[2:],
        float(call.spatial_scale),
        bins,
        call.sampling_ratio,
        bool(call.aligned),
    )
    return emit.cast(emit.reshape(sampled, call.shape_), call.dtype_)


TABLE: dict[str, Converter] = {
    "grid_sampler_2d.default": _grid_sample,
    "grid_sampler_3d.default": _grid_sample,
    "torchvision.roi_align.default": _roi_align,
}
