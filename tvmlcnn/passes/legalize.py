"""From operators to TensorIR: our own workloads where a schedule rule is for them, else TVM's."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import tvm
from tvm import relax

from tvmlcnn import ops
from tvmlcnn.schedules.cpu import tiles
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import Device

from . import operators
from .constants import constant, value_of
from .convolutions import convolution
from .pooling import POOLING
from .workload import Workload, product_name


def legalize(device: Device, policy: Policy = DEFAULTS) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""
    if device.kind != "llvm":
        return relax.transform.LegalizeOps()

    def conv2d(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        return convolution(call, device, policy).call(builder)

    def matmul(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        workload = _matmul(call, device, policy)
        if workload is None:
            return call.op.get_attr("FLegalize")(builder, call)
        return workload.call(builder)

    return relax.transform.LegalizeOps(
        {
            operators.CONV2D: conv2d,
            "relax.matmul": matmul,
            "relax.concat": _concat,
            **POOLING,
        }
    )


def _concat(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
    fields, axis = call.args[0], int(call.attrs.axis) % len(call.ty.shape)
    if not isinstance(fields, relax.Tuple) or axis + 1 < len(call.ty.shape):
        return call.op.get_attr("FLegalize")(builder, call)
    return builder.call_te(ops.concatenate, list(fields.fields), primfunc_name_hint="concatenate")


def _matmul(call: relax.Call, device: Device, policy: Policy) -> Workload | None:
    data, weight = call.args[0], value_of(call.args[1])
    if weight is None or weight.ndim != 2 or len(data.ty.shape) != 2:
        return None
    rows, channels = (int(n) for n in call.ty.shape)
    ranked = tiles.dense_tiles(rows, weight.shape[0], channels, device)
    if not ranked:
        return None
    name = product_name(data.ty.shape, weight.shape)
    tile = replace(policy.of("dense", name).choose("tile", ranked), workload=name)
    define = partial(ops.dense, shape=(rows, channels), window=ops.Window(), tile=tile)
    return Workload(define, [data, constant(ops.pack(weight, tile))])
