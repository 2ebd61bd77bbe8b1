"""Compute layers over lines and volumes as layers over maps, which have fast kernels.

A line, (N, C, W), is a map of one row. A volume, (N, C, D, H, W), is its frames, as many maps:
(N * D, C, H, W). A convolution over a volume convolves frames that hold, as channels, the ones
around them too; in groups the frames take turns in the rows instead, so that groups stay together.
A kernel of one pixel, and pooling along depth, sees the volume as a map of D rows, each a frame.

What is computed so stays so through element-wise operators, until something else reads it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph import pixel_operators
from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.constants import constant, value_of
from tvmlcnn.graph.lines_and_volumes import (
    Building,
    Maps,
    as_maps,
    lowered,
    maps_of,
    operand,
    turned,
)

Rewrite = Callable[[Building, relax.Var, relax.Call], Maps | relax.Expr | None]


def two_dimensions(mod: tvm.IRModule) -> tvm.IRModule:
    """Rewrite the layers of ``main`` over lines and volumes."""
    return Building(_REWRITES, lowered).run(mod)


def _convolution(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
    attrs, weight = call.attrs, value_of(call.args[1])
    layouts = str(attrs.data_layout)[:2] + str(attrs.kernel_layout)[:2]
    if weight is None or layouts != "NCOI":
        return None
    data = maps_of(building, call.args[0])
    shape, groups = ints(call.ty.shape), int(attrs.groups)
    strides, dilation, padding = (
        ints(values) for values in (attrs.strides, attrs.dilation, attrs.padding)
    )
    before, after = padding[: len(strides)], padding[len(strides) :]

    def convolved(maps: relax.Expr, weight: np.ndarray, axes: tuple[int, ...]) -> relax.Var:
        """Convolve maps whose rows and columns are some axes of the old ones; -1 is one of 1."""
        return building.emit(
            relax.op.nn.conv2d(
                *(maps, constant(weight)),
                strides=[strides[i] if i >= 0 else 1 for i in axes],
                padding=[side[i] if i >= 0 else 0 for side in (before, after) for i in axes],
                dilation=[dilation[i] if i >= 0 else 1 for i in axes],
                groups=groups,
            ),
            var,
        )

    if len(shape) == 3:
        return Maps(convolved(data.expr, weight[:, :, None], (-1, 0)), tuple(shape))
    outer, inner, taps, *kernel = weight.shape
    still = [strides[0], before[0], after[0]] == [1, 0, 0]
    if taps == 1 and still:
        return Maps(convolved(data.expr, weight[:, :, 0], (1, 2)), tuple(shape))
    if kernel == [1, 1] and strides[1:] == [1, 1] and not any(before[1:] + after[1:]):
        upright = turned(building, data, True, var).expr
        return Maps(convolved(upright, weight[..., 0], (0, -1)), tuple(shape), upright=True)
    rows = groups > 1
    batch, channels, height, width = ints(data.expr.ty.shape)
    around = [batch // data.frames * shape[2], channels, height, width]
    around[2 if rows else 1] *= taps
    gathered = building.emit(
        pixel_operators.gather_frames(
            *(data.expr, data.frames, around, taps, strides[0], dilation[0], before[0], rows)
        ),
        var,
    )
    if not rows:
        # Channels of the first tap come first.
        weight = weight.swapaxes(1, 2).reshape(outer, taps * inner, *kernel)
        return Maps(convolved(gathered, weight, (1, 2)), tuple(shape))
    # Row ``h * taps + k`` is one of the frame at tap ``k``; rows between those of a dilated kernel
    # have zeros.
    spread = np.zeros(
        (outer, inner, (kernel[0] - 1) * dilation[1] + 1, taps, kernel[1]), np.float64
    )
    spread[:, :, :: dilation[1]] = weight.swapaxes(2, 3)
    weight = spread.reshape(outer, inner, -1, kernel[1]).astype(weight.dtype)
    strides[1] *= taps
    before[1], after[1], dilation[1] = before[1] * taps, after[1] * taps, 1
    return Maps(convolved(gathered, weight, (1, 2)), tuple(shape))


def _pool(operator: Callable[..., relax.Call]) -> Rewrite:
    def rewrite(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
        attrs = call.attrs
        if not str(attrs.layout).startswith("NC"):
            return None
        data, shape = maps_of(building, call.args[0]), ints(call.ty.shape)
        lists = [ints(v) for v in (attrs.pool_size, attrs.strides, attrs.dilation)]
        rank, padding = len(shape) - 2, ints(attrs.padding)

        def pooled(maps: relax.Expr, axes: tuple[int, ...]) -> relax.Var:
            """Pool maps whose rows and columns are some axes of the old ones; -1 is one of 1."""
            size, strides, dilation = ([v[i] if i >= 0 else 1 for i in axes] for v in lists)
            sides = [padding[i + n] if i >= 0 else 0 for n in (0, rank) for i in axes]
            counted = {"count_include_pad": attrs.count_include_pad}
            return building.emit(
                operator(maps, size, strides, sides, dilation, attrs.ceil_mode, **counted), var
            )

        if rank == 1:
            return Maps(pooled(data.expr, (-1, 0)), tuple(shape))
        # A maximum of maxima, a mean of means: windows are boxes, also where the border cuts them.
        frames = Maps(pooled(data.expr, (1, 2)), (*data.shape[:3], *shape[3:]))
        if [v[0] for v in lists[:2]] == [1, 1] and padding[0] == padding[3] == 0:
            return frames
        upright = turned(building, frames, True, var).expr
        return Maps(pooled(upright, (0, -1)), tuple(shape), upright=True)

    return rewrite


def _adaptive_pool(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
    if not str(call.attrs.layout).startswith("NC"):
        return None
    data, shape = maps_of(building, call.args[0]), ints(call.ty.shape)
    pooled = building.emit(relax.op.nn.adaptive_avg_pool2d(data.expr, [1, *shape[2:]][-2:]), var)
    if len(shape) == 3:
        return Maps(pooled, tuple(shape))
    frames = Maps(pooled, (*data.shape[:3], *shape[3:]))
    if shape[2] == data.frames:
        return frames
    upright = turned(building, frames, True, var).expr
    size = (shape[2], shape[3] * shape[4])
    pooled = building.emit(relax.op.nn.adaptive_avg_pool2d(upright, size), var)
    return Maps(pooled, tuple(shape), upright=True)


def _mean(building: Building, var: relax.Var, call: relax.Call) -> Maps | relax.Expr | None:
    """Take the mean of whole lines and volumes."""
    data = building.form(call.args[0])
    if data is None or call.attrs.axis is None:
        return None
    rank, keep = len(data.shape), bool(call.attrs.keepdims)
    if sorted(int(axis) % rank for axis in call.attrs.axis) != list(range(2, rank)):
        return None
    maps = turned(building, data, data.frames > 1, var).expr
    mean = building.emit(relax.op.mean(maps, [2, 3], keep), var)
    return Maps(mean, (*data.shape[:2], *[1] * (rank - 2))) if keep else mean


def _interleave(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
    shape, attrs = ints(call.ty.shape), call.attrs
    if len(shape) == 4:
        return None
    data, table = maps_of(building, call.args[0]), value_of(call.args[1])
    assert table is not None
    line = [1] * (4 - len(shape))
    steps, crop = line + ints(attrs["steps"]), [0 for _ in line] + ints(attrs["crop"])
    frames = (data.frames, shape[2] if len(shape) == 5 else 1)
    moved = pixel_operators.interleave(data.expr, table, as_maps(shape), steps, crop, frames)
    return Maps(building.emit(moved, var), tuple(shape))


def _row(building: Building, var: relax.Var, call: relax.Call) -> Maps | relax.Expr | None:
    """Follow a line to the map that it is, and back."""
    old, new = ints(call.args[0].ty.shape), ints(call.ty.shape)
    form = building.form(call.args[0])
    if form is not None and len(old) == 3 and new == [*old[:2], 1, old[2]]:
        return form.expr
    if len(old) == 4 and old[2] == 1 and new == [*old[:2], old[3]]:
        return Maps(building.plain(call.args[0]), tuple(new))
    return None


def _elementwise(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
    """Work on the maps, where one operand is held so and all others can be."""
    shape = ints(call.ty.shape)
    forms = [form for arg in call.args if (form := building.form(arg))]
    like = next((form for form in forms if list(form.shape) == shape), None)
    if like is None:
        return None
    args = [operand(building, arg, shape, like.upright) for arg in call.args]
    if any(arg is None for arg in args):
        return None
    result = building.emit(relax.Call(call.op, args, call.attrs), var)
    return Maps(result, tuple(shape), like.upright)


def _concat(building: Building, var: relax.Var, call: relax.Call) -> Maps | None:
    fields, shape = call.args[0], ints(call.ty.shape)
    axis = int(call.attrs.axis) % len(shape)
    if not isinstance(fields, relax.Tuple) or not any(map(building.form, fields.fields)):
        return None
    if axis != 1 and (len(shape) == 5 or axis == 0):
        return None
    maps = [maps_of(building, field).expr for field in fields.fields]
    joined = relax.op.concat(maps, 1 if axis == 1 else 3)
    return Maps(building.emit(joined, var), tuple(shape))


_REWRITES: dict[str, Rewrite] = {
    **dict.fromkeys(BY_RELAX, _elementwise),
    "relax.nn.conv1d": _convolution,
    "relax.nn.conv3d": _convolution,
    "relax.nn.max_pool1d": _pool(relax.op.nn.max_pool2d),
    "relax.nn.max_pool3d": _pool(relax.op.nn.max_pool2d),
    "relax.nn.avg_pool1d": _pool(relax.op.nn.avg_pool2d),
    "relax.nn.avg_pool3d": _pool(relax.op.nn.avg_pool2d),
    "relax.nn.adaptive_avg_pool1d": _adaptive_pool,
    "relax.nn.adaptive_avg_pool3d": _adaptive_pool,
    "relax.mean": _mean,
    "relax.concat": _concat,
    "relax.reshape": _row,
    "relax.expand_dims": _row,
    "relax.squeeze": _row,
    pixel_operators.INTERLEAVE: _interleave,
}
