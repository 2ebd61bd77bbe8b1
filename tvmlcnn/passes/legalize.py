"""From operators to TensorIR: our own workloads where a schedule rule is for them, else TVM's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import tvm
from tvm import relax, te

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import grouped, tiles
from tvmlcnn.targets import Device

from .constants import constant, value_of
from .legalize_pooling import POOLING

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution


def legalize(device: Device) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""

    def conv2d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        attrs, data, weight = call.attrs, call.args[0], value_of(call.args[1])
        if weight is None or attrs.data_layout != "NHWC":
            return call.op.get_attr("FLegalize")(builder, call)
        batch, height, width, channels = (int(n) for n in call.ty.shape)
        strides, padding, dilation = (
            [int(n) for n in values] for values in (attrs.strides, attrs.padding, attrs.dilation)
        )
        geometry = {"strides": strides, "padding": padding, "dilation": dilation}
        if attrs.groups == int(data.ty.shape[3]) == channels > 1:
            tile = tiles.depthwise_tile(width, channels, device)
            if tile is not None:
                define = partial(ops.depthwise, **geometry, tile=tile)
                return _call(builder, define, data, weight[:, :, 0])
        elif attrs.groups == 1:
            pointwise = weight.shape[:2] == (1, 1) and strides == [1, 1] and not any(padding)
            if pointwise and batch == 1:
                return matrix(builder, call, data, weight[0, 0], height * width)
            tile = tiles.dense_tile(width, channels, device)
            if tile is not None:
                define = partial(ops.dense, channels=channels, **geometry, tile=tile)
                return _call(builder, define, data, ops.pack(weight, tile))
        else:
            found = _grouped(weight, call, geometry, device)
            if found is not None:
                return _call(builder, found[0], data, found[1])
        return call.op.get_attr("FLegalize")(builder, call)

    def matmul(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        data, weight = call.args[0], value_of(call.args[1])
        if weight is None or weight.ndim != 2 or len(data.ty.shape) != 2:
            return call.op.get_attr("FLegalize")(builder, call)
        return matrix(builder, call, data, weight, int(data.ty.shape[0]))

    def matrix(
        builder: relax.BlockBuilder,
        call: relax.Call,
        data: relax.Expr,
        weight: np.ndarray,
        rows: int,
    ) -> relax.Expr:
        channels = weight.shape[1]
        tile = tiles.matrix_tile(rows, channels, device)
        if tile is None:
            return call.op.get_attr("FLegalize")(builder, call)
        define = partial(ops.matrix, channels=channels, tile=tile)
        return _call(builder, define, data, ops.pack(weight, tile))

    if device.kind != "llvm":
        return relax.transform.LegalizeOps()
    return relax.transform.LegalizeOps(
        {"relax.nn.conv2d": conv2d, "relax.matmul": matmul, "relax.concat": _concat, **POOLING}
    )


def _concat(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    fields, axis = call.args[0], int(call.attrs.axis) % len(call.ty.shape)
    if not isinstance(fields, relax.Tuple) or axis + 1 < len(call.ty.shape):
        return call.op.get_attr("FLegalize")(builder, call)
    return builder.call_te(ops.concatenate, list(fields.fields), primfunc_name_hint="concatenate")


def _grouped(
    weight: np.ndarray, call: relax.Call, geometry: dict[str, list[int]], device: Device
) -> tuple[Callable[[te.Tensor, te.Tensor], te.Tensor], np.ndarray] | None:
    """Return the workload of a grouped convolution and its packed weights."""
    batch, height, width, channels = (int(n) for n in call.ty.shape)
    groups, (rows, columns, inner, _) = int(call.attrs.groups), weight.shape
    if inner == channels // groups:
        tile = grouped.diagonal_tile(width, inner, channels, device)
        if tile is not None:
            define = partial(ops.grouped_diagonals, **geometry, tile=tile)
            return define, ops.diagonals(weight, tile.lanes)
    flat = batch == rows == columns == 1 and geometry["strides"] == [1, 1]
    pixels = height * width if flat and not any(geometry["padding"]) else width
    tile = grouped.grouped_tile(pixels, rows * columns, channels, groups, device)
    if tile is None:
        return None
    define = partial(ops.grouped, channels=channels, groups=groups, **geometry, tile=tile)
    return define, ops.pack(weight, tile)


def _call(
    builder: relax.BlockBuilder,
    define: Callable[[te.Tensor, te.Tensor], te.Tensor],
    data: relax.Expr,
    weight: np.ndarray,
) -> relax.Expr:
    """Call one of our workloads; element-wise operators after it may join it."""
    return builder.call_te(
        define,
        data,
        constant(weight),
        primfunc_name_hint="convolution",
        primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
    )
