"""The floating point operations of the graph's operators, as the network defines them.

A multiply-add counts as two (convolutions, matrix products), any other operator as one for each
element that it writes, or, where it reduces, reads. Channels that a kernel computes only to fill a
vector do not count, and moving data counts nothing.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable

import tvm
from tvm import relax

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph.quantized_operators import INTEGER_CONV2D, INTEGER_MATMUL
from tvmlcnn.graph.resample import RESAMPLE
from tvmlcnn.graph.surround import SURROUND

_ATTRIBUTE = "tvmlcnn.flops"
_MOVES = {SURROUND} | {
    f"relax.{name}"
    for name in (
        *("reshape", "permute_dims", "concat", "split", "strided_slice", "expand_dims", "squeeze"),
        *("flatten", "nn.pad", "broadcast_to", "take", "stack", "repeat", "tile", "flip"),
        *("full", "zeros", "ones", "arange", "image.resize2d", "nn.pixel_shuffle", "nn.dropout"),
    )
}
_REDUCTIONS = frozenset(
    f"relax.{name}"
    for name in (
        *("mean", "sum", "max", "min", "variance", "std"),
        *(f"nn.adaptive_avg_pool{rank}d" for rank in (1, 2, 3)),
    )
)


def count_flops(mod: tvm.IRModule) -> tvm.IRModule:
    """Note the operations of each variable of ``main``, for `flops_of`."""
    flops = {
        str(binding.var.name): operations
        for block in mod["main"].body.blocks
        for binding in block.bindings
        if (operations := _flops(binding.value))
    }
    return mod.with_attr(_ATTRIBUTE, json.dumps(flops))


def flops_of(mod: tvm.IRModule) -> dict[str, int]:
    """Return what `count_flops` noted, by the name of the variable."""
    return dict(json.loads(str(mod.attrs[_ATTRIBUTE])))


def _flops(expr: relax.Expr) -> int:
    if not isinstance(expr, relax.Call) or not isinstance(expr.op, tvm.ir.Op):
        return 0
    name, attrs = expr.op.name, expr.attrs
    out = expr.ty.fields[0] if isinstance(expr.ty, relax.TupleType) else expr.ty
    if name in _MOVES or not isinstance(out, relax.TensorType):
        return 0
    if name.startswith("relax.nn.conv") or name == INTEGER_CONV2D:
        weight = _shape(expr.args[1].ty)
        # The weights of one output are those of a filter, of a transposed one those of an input.
        channels = weight[str(attrs.kernel_layout).index("I" if "transpose" in name else "O")]
        pixels = _shape(expr.args[0].ty) if "transpose" in name else _shape(out)
        return 2 * math.prod(pixels) * math.prod(weight) // channels
    if name in ("relax.matmul", INTEGER_MATMUL):
        return 2 * math.prod(_shape(out)) * _shape(expr.args[0].ty)[-1]
    if name == RESAMPLE:
        # Weights of a single element are those of outputs that are one input each.
        taps = [_shape(argument.ty) for argument in expr.args[2::2]]
        return 2 * math.prod(_shape(out)) * sum(n[1] for n in taps if len(n) == 2)
    if name in _REDUCTIONS:
        return math.prod(_shape(expr.args[0].ty))
    if "_pool" in name:
        return math.prod(_shape(out)) * math.prod(_ints(attrs.pool_size))
    each = BY_RELAX[name].flops if name in BY_RELAX else 1
    return each * math.prod(_shape(out))


def _shape(ty: relax.TensorType) -> list[int]:
    return _ints(ty.shape)


def _ints(values: Iterable[object]) -> list[int]:
    return [int(value) for value in values]  # type: ignore[call-overload]
