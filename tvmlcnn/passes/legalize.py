"""From operators to TensorIR: each rule is asked in order, and TVM where the last one leaves it."""

from __future__ import annotations

from collections.abc import Callable

import tvm
from tvm import relax

from tvmlcnn.graph import layer_of_call, operators
from tvmlcnn.graph.kernel_calls import call_of
from tvmlcnn.graph.permuted import copied
from tvmlcnn.graph.resample import RESAMPLE
from tvmlcnn.graph.rows import OPERATORS as ROW_OPERATORS
from tvmlcnn.schedules import BatchedProduct, Convolution, Layer, Normalization, Rows, planned
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import Device

_LAYERS: dict[str, Callable[[relax.Call], Layer | None]] = {
    operators.CONV2D: layer_of_call.convolution,
    "relax.matmul": layer_of_call.product,
    "relax.nn.max_pool2d": layer_of_call.pool,
    "relax.nn.avg_pool2d": layer_of_call.pool,
    "relax.nn.adaptive_avg_pool2d": layer_of_call.global_average,
    "relax.mean": layer_of_call.global_average,
    "relax.concat": layer_of_call.concatenation,
    RESAMPLE: layer_of_call.resample,
    "relax.nn.layer_norm": layer_of_call.normalization,
    "relax.nn.group_norm": layer_of_call.normalization,
    "relax.nn.instance_norm": layer_of_call.normalization,
    **dict.fromkeys(ROW_OPERATORS, layer_of_call.rows),
}


def legalize(device: Device, policy: Policy = DEFAULTS) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""

    def kernel(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        layer = _LAYERS[call.op.name](call)
        if layer is not None:
            data, beside = _operands(call, layer)
            result = call_of(builder, planned(layer, device, policy), data, beside)
            if result is not None:
                return _results(builder, call, result)
        return call.op.get_attr("FLegalize")(builder, call)

    own = {operators.COPY: lambda builder, call: copied(builder, call.args[0])}
    return relax.transform.LegalizeOps(dict.fromkeys(_LAYERS, kernel) | own)


def _results(builder: relax.BlockBuilder, call: relax.Call, made: relax.Call) -> relax.Expr:
    """Return what an operator returns of what its kernel writes; what follows is scratch."""
    made = builder.normalize(made)
    if not isinstance(made.ty, relax.TupleType):
        return made
    wanted = len(call.ty.fields) if isinstance(call.ty, relax.TupleType) else 1
    written = builder.emit(made)
    items = [builder.emit(relax.TupleGetItem(written, i)) for i in range(wanted)]
    return relax.Tuple(items) if isinstance(call.ty, relax.TupleType) else items[0]


def _operands(call: relax.Call, layer: Layer) -> tuple[list[relax.Expr], list[relax.Expr]]:
    """Return the data of a layer, and what follows its weights."""
    first, *others = call.args
    if isinstance(layer, Normalization | BatchedProduct | Rows):
        return list(call.args), []
    data = list(first.fields) if isinstance(first, relax.Tuple) else [first]
    return data, others[1:] if isinstance(layer, Convolution) else []
