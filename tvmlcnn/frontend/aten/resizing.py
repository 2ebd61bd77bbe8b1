"""Resizing of maps by interpolation, which is a linear map along each axis."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from tvm import relax

from tvmlcnn.graph.resample import resample
from tvmlcnn.ops.resampling import Taps, interpolation

from .emitter import Call, Converter, Emitter, Value, shape_of

op = relax.op

_FORMS = {
    "upsample_nearest{}d": ("nearest", (1, 2, 3)),
    "_upsample_nearest_exact{}d": ("nearest-exact", (1, 2, 3)),
    "upsample_linear{}d": ("linear", (1,)),
    "upsample_bilinear{}d": ("linear", (2,)),
    "upsample_trilinear{}d": ("linear", (3,)),
    "upsample_bicubic{}d": ("cubic", (2,)),
    "_upsample_bilinear{}d_aa": ("linear", (2,)),
    "_upsample_bicubic{}d_aa": ("cubic", (2,)),
}


def _resize(mode: str, rank: int, antialias: bool) -> Converter:
    def convert(emit: Emitter, call: Call) -> Value:
        data = call.values.get("input", call.values.get("self"))
        sizes, outputs = shape_of(data)[-rank:], call.shape_[-rank:]
        whole = "float" not in call.dtype_
        dtype = "float64" if whole else call.dtype_
        tables = {
            axis + 2: interpolation(
                sizes[axis],
                outputs[axis],
                mode,
                align_corners=bool(call.values.get("align_corners")),
                antialias=antialias,
                factor=factor,
                rank=rank,
                dtype=dtype,
            )
            for axis, factor in enumerate(_factors(call, rank))
        }
        if not whole or mode.startswith("nearest"):
            return emit(resample, data, tables)
        return emit.cast(_rounded(emit, emit.cast(data, "int32"), tables, call.dtype_), call.dtype_)

    return convert


def _rounded(emit: Emitter, data: Value, tables: dict[int, Taps], dtype: str) -> Value:
    """Resize bytes, held as int32: along the last axis first, each time rounded, as torch does.

    Its weights are integers of 16 bits, as Pillow's are: of the most bits behind the point, up to
    22, that the largest has room for. Cubic weights may lead beyond the type.
    """
    bounds = np.iinfo(dtype)
    for axis in sorted(tables, reverse=True):
        taps = tables[axis]
        if taps.changes_nothing:
            continue
        weights = _merged(taps)
        fits = (n for n in range(22) if 0.5 + weights.max() * 2.0 ** (n + 1) >= 1 << 15)
        bits = next(fits, 22)
        scaled = weights * 2.0**bits
        fixed = np.trunc(scaled + np.copysign(0.5, scaled))
        data = emit(resample, data, {axis: replace(taps, weights=fixed)})
        data = emit(op.add, data, emit.scalar(1 << bits - 1, "int32"))
        data = emit(op.right_shift, data, emit.scalar(bits, "int32"))
        data = emit(op.clip, data, int(bounds.min), int(bounds.max))
    return data


def _merged(taps: Taps) -> np.ndarray:
    """Return the weights, those of taps that read the same input, as at a border, added up."""
    weights = taps.weights.copy()
    for later in range(1, weights.shape[1]):
        for earlier in range(later):
            same = taps.sources[:, later] == taps.sources[:, earlier]
            weights[same, earlier] += weights[same, later]
            weights[same, later] = 0
    return weights


def _factors(call: Call, rank: int) -> list[float | None]:
    """Return the scale factor of each axis; torch uses a given one, not the sizes' ratio."""
    if "scale_factors" in call.values:
        return list(call.scale_factors or [None] * rank)
    names = ("scales",) if rank == 1 else ("scales_d", "scales_h", "scales_w")[-rank:]
    return [call.values.get(name) for name in names]


TABLE: dict[str, Converter] = {
    f"{form.format(rank)}.{overload}": _resize(mode, rank, form.endswith("_aa"))
    for form, (mode, ranks) in _FORMS.items()
    for rank in ranks
    for overload in ("vec", "default")
}
