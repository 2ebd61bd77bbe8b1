"""From operators to TensorIR: our own workloads where a schedule rule is for them, else TVM's."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
import tvm
from tvm import relax, te, tirx, topi
from tvm.ir import Expr

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import tiles
from tvmlcnn.targets import Device

from . import operators
from .constants import constant, value_of

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution


@dataclass(frozen=True)
class Workload:
    """A call of one of our workloads: its TE definition, and its tensors."""

    define: Callable[..., te.Tensor]
    arguments: list[relax.Expr]

    def call(self, builder: relax.BlockBuilder) -> relax.Call:
        """Return the call of the TensorIR function; element-wise kernels after it may join it."""
        return builder.call_te(
            self.define,
            *self.arguments,
            primfunc_name_hint="convolution",
            primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
        )


def legalize(device: Device) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""
    if device.kind != "llvm":
        return relax.transform.LegalizeOps()

    def conv2d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        return _convolution(call, device).call(builder)

    def matmul(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        workload = _matmul(call, device)
        if workload is None:
            return call.op.get_attr("FLegalize")(builder, call)
        return workload.call(builder)

    return relax.transform.LegalizeOps({operators.CONV2D: conv2d, "relax.matmul": matmul})


def _matmul(call: relax.Call, device: Device) -> Workload | None:
    data, weight = call.args[0], value_of(call.args[1])
    if weight is None or weight.ndim != 2 or len(data.ty.shape) != 2:
        return None
    rows, channels = (int(n) for n in call.ty.shape)
    tile = tiles.dense_tile(rows, weight.shape[0], channels, device)
    if tile is None:
        return None
    define = partial(ops.dense, shape=(rows, channels), window=ops.Window(), tile=tile)
    return Workload(define, [data, constant(ops.pack(weight, tile))])


def _convolution(call: relax.Call, device: Device) -> Workload:
    attrs, data, weight = call.attrs, call.args[0], value_of(call.args[1])
    shape, groups = [int(n) for n in attrs["shape"]], int(attrs["groups"])
    window = ops.Window(
        *(tuple(int(n) for n in attrs[name]) for name in ("strides", "padding", "dilation"))
    )
    if groups == 1:
        return _dense(call, weight, shape, window, device)
    if groups == shape[3] == weight.shape[3] and weight.shape[2] == 1:
        tile = tiles.depthwise_tile(shape[2], shape[3], device)
        if tile is not None:
            define = partial(ops.depthwise, window=window, tile=tile)
            return Workload(define, [data, constant(weight[:, :, 0])])
    define = partial(
        topi.nn.group_conv2d_nhwc,
        stride=window.strides,
        padding=window.padding,
        dilation=window.dilation,
        groups=groups,
    )
    return Workload(define, [data, constant(weight)])


def _dense(
    call: relax.Call, weight: np.ndarray, shape: list[int], window: ops.Window, device: Device
) -> Workload:
    data, attrs = call.args[0], call.attrs
    *kernel, inner, outer = weight.shape
    tile = tiles.dense_tile(math.prod(shape[:-1]), weight.size // outer, outer, device)
    assert tile is not None, "the channels were filled up to whole vectors"
    reads, wide, planes = np.array([int(n) for n in attrs["reads"]], np.int32), 0, 1
    kernel = [] if kernel == [1, 1] else kernel
    if len(reads):
        wide = int(data.ty.shape[3])
        if inner % wide == 0 and np.array_equal(reads, np.arange(inner)):
            planes, reads = inner // wide, reads[:0]
            kernel, inner = kernel + [planes] * (planes > 1), wide
    packed = ops.pack(weight.reshape(*kernel, inner, outer), tile)
    table = [constant(np.stack(np.divmod(reads, wide)).astype(np.int32))] if len(reads) else []
    steps = [str(step) for step in attrs["prologue"]]
    define = partial(
        ops.dense,
        shape=shape,
        window=window,
        tile=tile,
        planes=planes,
        table=bool(table),
        prologue=partial(_applied, steps) if steps else None,
    )
    return Workload(define, [data, constant(packed), *table, *call.args[2:]])


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
