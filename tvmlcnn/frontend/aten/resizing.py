"""Resizing of maps by interpolation, which is a linear map along each axis."""

from __future__ import annotations

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
        dtype = "float32" if whole else call.dtype_
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
        return emit.cast(_rounded(emit, emit.cast(data, dtype), tables, call.dtype_), call.dtype_)

    return convert


def _rounded(emit: Emitter, data: Value, tables: dict[int, Taps], dtype: str) -> Value:
    """Resize integers, held as floats: along the last axis first, each time rounded, as torch does.

    Cubic weights may lead beyond the type.
    """
    bounds = np.iinfo(dtype)
    for axis in sorted(tables, reverse=True):
        if tables[axis].changes_nothing:
            continue
        data = emit(resample, data, {axis: tables[axis]})
        data = emit(op.floor, emit(op.add, data, emit.scalar(0.5, "float32")))
        data = emit(op.clip, data, float(bounds.min), float(bounds.max))
    return data


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
