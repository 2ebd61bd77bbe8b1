"""From operators to TensorIR: our own workloads where a schedule rule is for them, else TVM's."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import tvm
from tvm import relax, te

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import tiles
from tvmlcnn.schedules.cpu.winograd_blocking import winograd_blocking
from tvmlcnn.targets import Device

from .constants import constant, value_of

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution

Workload = tuple[Callable[..., te.Tensor], np.ndarray]


def legalize(device: Device) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""
    if device.kind != "llvm":
        return relax.transform.LegalizeOps()

    def conv2d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        return _call(builder, call, _convolution(call, device))

    def matmul(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        return _call(builder, call, _matmul(call, device))

    return relax.transform.LegalizeOps({"relax.nn.conv2d": conv2d, "relax.matmul": matmul})


def _convolution(call: relax.Call, device: Device) -> Workload | None:
    attrs, data, weight = call.attrs, call.args[0], value_of(call.args[1])
    if weight is None or attrs.data_layout != "NHWC":
        return None
    batch, height, width, channels = (int(n) for n in call.ty.shape)
    window = ops.Window(
        *(tuple(int(n) for n in v) for v in (attrs.strides, attrs.padding, attrs.dilation))
    )
    if attrs.groups == int(data.ty.shape[3]) == channels > 1:
        tile = tiles.depthwise_tile(width, channels, device)
        return tile and (partial(ops.depthwise, window=window, tile=tile), weight[:, :, 0])
    if attrs.groups > 1:
        return None
    if weight.shape[:2] == (3, 3) and window == ops.Window(padding=window.padding):
        blocking = winograd_blocking((batch, height, width), weight.shape[2], channels, device)
        if blocking is not None:
            return _winograd(weight, window, blocking)
    if weight.shape[:2] == (1, 1):
        weight = weight[0, 0]
    return _dense(batch * height * width, weight, window, device)


def _winograd(weight: np.ndarray, window: ops.Window, blocking: ops.Blocking) -> Workload:
    define = partial(
        ops.winograd, channels=weight.shape[3], padding=window.padding, blocking=blocking
    )
    transformed = ops.transform_weights(weight, blocking.outputs)
    return define, ops.pack(transformed, blocking.registers)


def _matmul(call: relax.Call, device: Device) -> Workload | None:
    data, weight = call.args[0], value_of(call.args[1])
    if weight is None or weight.ndim != 2 or len(data.ty.shape) != 2:
        return None
    return _dense(int(data.ty.shape[0]), weight, ops.Window(), device)


def _dense(rows: int, weight: np.ndarray, window: ops.Window, device: Device) -> Workload | None:
    channels = weight.shape[-1]
    tile = tiles.dense_tile(rows, weight.size // channels, channels, device)
    return tile and (
        partial(ops.dense, channels=channels, window=window, tile=tile),
        ops.pack(weight, tile),
    )


def _call(builder: relax.BlockBuilder, call: relax.Call, workload: Workload | None) -> relax.Expr:
    """Call one of our workloads; element-wise operators after it may join it."""
    if workload is None:
        return call.op.get_attr("FLegalize")(builder, call)
    define, weight = workload
    return builder.call_te(
        define,
        call.args[0],
        constant(weight),
        primfunc_name_hint="convolution",
        primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
    )
