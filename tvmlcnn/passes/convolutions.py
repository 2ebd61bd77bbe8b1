"""Which workload a convolution becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial

import numpy as np
from tvm import relax, tirx, topi
from tvm.ir import Expr

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import grouped, tiles
from tvmlcnn.schedules.cpu.winograd_blocking import winograd_blocking
from tvmlcnn.targets import Device

from .constants import constant, value_of
from .workload import Workload


def convolution(call: relax.Call, device: Device) -> Workload:
    """Return the workload of a call of ``tvmlcnn.conv2d``."""
    attrs, data, weight = call.attrs, call.args[0], value_of(call.args[1])
    assert weight is not None, "only convolutions with constant weights become this operator"
    shape, groups = [int(n) for n in attrs["shape"]], int(attrs["groups"])
    window = ops.Window(
        *(tuple(int(n) for n in attrs[name]) for name in ("strides", "padding", "dilation"))
    )
    if groups == 1:
        return _winograd(call, weight, shape, window, device) or _dense(
            call, weight, shape, window, device
        )
    if groups == shape[3] == weight.shape[3] and weight.shape[2] == 1:
        tile = tiles.depthwise_tile(shape[2], shape[3], device)
        if tile is not None:
            define = partial(ops.depthwise, window=window, tile=tile)
            return Workload(define, [data, constant(weight[:, :, 0])])
    return _grouped(data, weight, shape, groups, window, device)


def _grouped(
    data: relax.Expr,
    weight: np.ndarray,
    shape: list[int],
    groups: int,
    window: ops.Window,
    device: Device,
) -> Workload:
    batch, height, width, channels = shape
    rows, columns, inner, _ = weight.shape
    if inner == channels // groups:
        tile = grouped.diagonal_tile(width, inner, channels, device)
        if tile is not None:
            define = partial(ops.grouped_diagonals, window=window, tile=tile)
            return Workload(define, [data, constant(ops.diagonals(weight, tile.lanes))])
    flat = batch == rows == columns == 1 and window == ops.Window()
    pixels = height * width if flat else width
    tile = grouped.grouped_tile(pixels, rows * columns, channels, groups, device)
    if tile is not None:
        define = partial(ops.grouped, channels=channels, groups=groups, window=window, tile=tile)
        return Workload(define, [data, constant(ops.pack(weight, tile))])
    define = partial(
        topi.nn.group_conv2d_nhwc,
        stride=window.strides,
        padding=window.padding,
        dilation=window.dilation,
        groups=groups,
    )
    return Workload(define, [data, constant(weight)])


def _winograd(
    call: relax.Call, weight: np.ndarray, shape: list[int], window: ops.Window, device: Device
) -> Workload | None:
    plain = window == ops.Window(padding=window.padding) and not len(call.attrs["reads"])
    plain = plain and int(call.args[0].ty.shape[3]) == weight.shape[2]
    plain = plain and not call.attrs["channels_first"]
    if weight.shape[:2] != (3, 3) or not plain:
        return None
    batch, height, width, _ = shape
    inner, outer = weight.shape[2:]
    blocking = winograd_blocking((batch, height, width), inner, outer, device)
    if blocking is None:
        return None
    transformed = ops.transform_weights(weight, blocking.outputs)
    define = partial(
        ops.winograd,
        channels=shape[3],
        padding=window.padding,
        blocking=blocking,
        prologue=_prologue(call),
    )
    packed = constant(ops.pack(transformed, blocking.registers))
    return Workload(define, [call.args[0], packed, *call.args[2:]])


def _dense(
    call: relax.Call, weight: np.ndarray, shape: list[int], window: ops.Window, device: Device
) -> Workload:
    data = call.args[0]
    *kernel, inner, outer = weight.shape
    linear = kernel == [1, 1] and window == ops.Window()
    tile = tiles.dense_tile(
        math.prod(shape[:-1]), weight.size // outer, outer, device, None if linear else shape[2]
    )
    assert tile is not None, "the channels were filled up to whole vectors"
    reads, wide, planes = np.array([int(n) for n in call.attrs["reads"]], np.int64), 0, 1
    kernel = [] if kernel == [1, 1] else kernel
    if len(reads):
        wide = int(data.ty.shape[3])
        if inner % wide == 0 and np.array_equal(reads, np.arange(inner)):
            planes, reads = inner // wide, reads[:0]
            kernel, inner = kernel + [planes] * (planes > 1), wide
    packed = ops.pack(weight.reshape(*kernel, inner, outer), tile)
    table = []
    if len(reads):
        plane, position = np.divmod(reads, wide)
        table = [constant(plane * _elements(data, shape[0], window) + position)]
    define = partial(
        ops.dense,
        shape=shape,
        window=window,
        tile=tile,
        planes=planes,
        table=bool(table),
        channels_first=bool(call.attrs["channels_first"]),
        prologue=_prologue(call),
    )
    return Workload(define, [data, constant(packed), *table, *call.args[2:]])


def _elements(data: relax.Expr, batch: int, window: ops.Window) -> int:
    """Return the elements of a plane, with the zeros around its maps."""
    _, height, width, channels = (int(n) for n in data.ty.shape)
    top, left, bottom, right = window.padding
    return batch * (top + height + bottom) * (left + width + right) * channels


def _prologue(call: relax.Call) -> ops.Prologue | None:
    steps = [str(step) for step in call.attrs["prologue"]]
    return partial(_applied, steps) if steps else None


def _applied(steps: Sequence[str], value: Expr, *parameters: Expr) -> Expr:
    """Return a value after the steps of a prologue."""
    left = iter(parameters)
    for step in steps:
        if step == "multiply":
            value = value * next(left)
        elif step == "add":
            value = value + next(left)
        else:
            value = tirx.max(value, tirx.const(0.0, "float32"))
    return value
