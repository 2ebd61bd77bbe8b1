"""Maps at places that tensors say: sampling by a grid, and the alignment of regions."""

from __future__ import annotations

import math

from tvmlcnn.errors import UserError
from tvmlcnn.graph import rows

from .emitter import Call, Converter, Emitter, Value, shape_of

_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def _channels_last(emit: Emitter, data: Value) -> Value:
    """Return maps with their places as one axis, and their channels as the last one."""
    batch, channels, *sizes = shape_of(data)
    rank = len(sizes) + 2
    data = emit.permute(emit.cast(data, "float32"), [0, *range(2, rank), 1])
    return emit.reshape(data, [batch, math.prod(sizes), channels])


def _channels_first(emit: Emitter, data: Value, call: Call) -> Value:
    batch, channels, *sizes = call.shape_
    rank = len(sizes) + 2
    data = emit.reshape(data, [batch, *sizes, channels])
    return emit.cast(emit.permute(data, [0, rank - 1, *range(1, rank - 1)]), call.dtype_)


def _grid_sample(emit: Emitter, call: Call) -> Value:
    data, grid = call.input, emit.cast(call.grid, "float32")
    batch, *points, rank = shape_of(grid)
    grid = emit.reshape(grid, [batch, math.prod(points), rank])
    mode, padding = _MODES[call.interpolation_mode], _PADDINGS[call.padding_mode]
    sizes = shape_of(data)[2:]
    align = bool(call.align_corners)
    sampled = emit(rows.grid_sample, _channels_last(emit, data), grid, sizes, mode, padding, align)
    return _channels_first(emit, sampled, call)


def _roi_align(emit: Emitter, call: Call) -> Value:
    if call.sampling_ratio < 1:
        raise UserError("how many samples a bin has depends on the boxes; give sampling_ratio")
    data = call.input
    bins = call.pooled_height, call.pooled_width
    sampled = emit(
        rows.roi_align,
        _channels_last(emit, data),
        emit.cast(call.rois, "float32"),
        shape_of(data)[2:],
        float(call.spatial_scale),
        bins,
        call.sampling_ratio,
        bool(call.aligned),
    )
    return _channels_first(emit, sampled, call)


TABLE: dict[str, Converter] = {
    "grid_sampler_2d.default": _grid_sample,
    "grid_sampler_3d.default": _grid_sample,
    "torchvision.roi_align.default": _roi_align,
}
