"""Which workload a convolution becomes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from tvm import relax, tirx, topi
from tvm.ir import Expr

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import grouped, tiles
from tvmlcnn.schedules.cpu.winograd_blocking import winograd_choice
from tvmlcnn.schedules.decisions import Decisions, Policy
from tvmlcnn.targets import Device

from .constants import constant, value_of
from .workload import Workload, convolution_name, window_of


@dataclass(frozen=True)
class _Layer:
    """A convolution, and what decides about its kernel."""

    call: relax.Call
    weight: np.ndarray
    shape: tuple[int, ...]
    groups: int
    window: ops.Window
    device: Device
    decisions: Decisions
    name: str

    @property
    def data(self) -> relax.Expr:
        return self.call.args[0]

    def tile(self, ranked: list[ops.Tile]) -> ops.Tile:
        """Return the tile that is chosen, as one of this layer."""
        return replace(self.decisions.choose("tile", ranked), workload=self.name)


def convolution(call: relax.Call, device: Device, policy: Policy) -> Workload:
    """Return the workload of a call of ``tvmlcnn.conv2d``."""
    attrs, weight, name = call.attrs, value_of(call.args[1]), convolution_name(call)
    assert weight is not None, "only convolutions with constant weights become this operator"
    shape, groups = tuple(int(n) for n in attrs["shape"]), int(attrs["groups"])
    window = window_of(call)

    def layer(rule: str) -> _Layer:
        decisions = policy.of(rule, name)
        return _Layer(call, weight, shape, groups, window, device, decisions, name)

    if groups == 1:
        return _winograd(layer("dense")) or _dense(layer("dense"))
    if groups == shape[3] == weight.shape[3] and weight.shape[2] == 1:
        size = math.prod(int(n) for n in call.args[0].ty.shape) * 4
        ranked = tiles.depthwise_tiles(shape[2], shape[3], device, size, window.strides[1])
        if ranked:
            tile = layer("depthwise").tile(ranked)
            define = partial(ops.depthwise, window=window, tile=tile)
            return Workload(define, [call.args[0], constant(weight[:, :, 0])])
    return _grouped(layer("grouped"))


def _grouped(layer: _Layer) -> Workload:
    weight, groups, window, device = layer.weight, layer.groups, layer.window, layer.device
    batch, height, width, channels = layer.shape
    rows, columns, inner, _ = weight.shape
    if inner == channels // groups:
        ranked = grouped.diagonal_tiles(width, inner, channels, device)
        if ranked:
            tile = layer.tile(ranked)
            define = partial(ops.grouped_diagonals, window=window, tile=tile)
            return Workload(define, [layer.data, constant(ops.diagonals(weight, tile.lanes))])
    flat = batch == rows == columns == 1 and window == ops.Window()
    pixels = height * width if flat else width
    ranked = grouped.grouped_tiles(pixels, rows * columns, channels, groups, device)
    if ranked:
        tile = layer.tile(ranked)
        define = partial(ops.grouped, channels=channels, groups=groups, window=window, tile=tile)
        return Workload(define, [layer.data, constant(ops.pack(weight, tile))])
    define = partial(
        topi.nn.group_conv2d_nhwc,
        stride=window.strides,
        padding=window.padding,
        dilation=window.dilation,
        groups=groups,
    )
    return Workload(define, [layer.data, constant(weight)])


def _winograd(layer: _Layer) -> Workload | None:
    call, weight, window, shape = layer.call, layer.weight, layer.window, layer.shape
    plain = window == ops.Window(padding=window.padding) and not len(call.attrs["reads"])
    plain = plain and int(layer.data.ty.shape[3]) == weight.shape[2]
    plain = plain and not call.attrs["channels_first"]
    if weight.shape[:2] != (3, 3) or not plain:
        return None
    inner, outer = weight.shape[2:]
    batch, height, width, _ = shape
    choice = winograd_choice((batch, height, width), inner, outer, layer.device)
    if choice is None:
        return None
    algorithms = ["winograd", "direct"] if choice.pays else ["direct", "winograd"]
    if layer.decisions.choose("algorithm", algorithms) == "direct":
        return None
    blocking = layer.decisions.choose("blocking", choice.blockings)
    registers = replace(blocking.registers, workload=layer.name)
    transformed = ops.transform_weights(weight, blocking.outputs)
    define = partial(
        ops.winograd,
        channels=shape[3],
        padding=window.padding,
        blocking=replace(blocking, registers=registers),
        prologue=_prologue(call),
    )
    return Workload(
        define, [layer.data, constant(ops.pack(transformed, registers)), *call.args[2:]]
    )


def _dense(layer: _Layer) -> Workload:
    call, weight, window, shape = layer.call, layer.weight, layer.window, layer.shape
    data = layer.data
    *kernel, inner, outer = weight.shape
    linear = kernel == [1, 1] and window == ops.Window()
    ranked = tiles.dense_tiles(
        math.prod(shape[:-1]),
        weight.size // outer,
        outer,
        layer.device,
        None if linear else shape[2],
    )
    assert ranked, "the channels were filled up to whole vectors"
    tile = layer.tile(ranked)
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
