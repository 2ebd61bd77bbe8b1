"""From operators to TensorIR: each rule is asked in order, and TVM where the last one leaves it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import tvm
from tvm import relax

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.graph import (
    code_operators,
    elementwise_operators,
    exact_operators,
    extremes,
    layer_of_call,
    operators,
    quantized_operators,
)
from tvmlcnn.graph.kernel_calls import call_of
from tvmlcnn.graph.permuted import copied
from tvmlcnn.graph.resample import RESAMPLE
from tvmlcnn.graph.rows import OPERATORS as ROW_OPERATORS
from tvmlcnn.graph.surround import SURROUND, surround_defined
from tvmlcnn.schedules import (
    BatchedProduct,
    Convolution,
    Layer,
    Normalization,
    Product,
    Resample,
    Rows,
    planned,
)
from tvmlcnn.schedules.decisions import DEFAULTS, Policy
from tvmlcnn.targets import FLOAT32, Device

_LAYERS: dict[str, Callable[[relax.Call], Layer | None]] = {
    operators.CONV2D: layer_of_call.convolution,
    "relax.matmul": layer_of_call.product,
    quantized_operators.INTEGER_MATMUL: layer_of_call.integer_product,
    quantized_operators.MEAN_OF_CODES: layer_of_call.mean_of_codes,
    "relax.nn.max_pool2d": layer_of_call.pool,
    "relax.nn.avg_pool2d": layer_of_call.pool,
    "relax.nn.adaptive_avg_pool2d": layer_of_call.global_average,
    **dict.fromkeys(("relax.mean", "relax.sum", "relax.max", "relax.min"), layer_of_call.reduction),
    "relax.concat": layer_of_call.concatenation,
    RESAMPLE: layer_of_call.resample,
    "relax.nn.layer_norm": layer_of_call.normalization,
    "relax.nn.group_norm": layer_of_call.normalization,
    "relax.nn.instance_norm": layer_of_call.normalization,
    **dict.fromkeys(ROW_OPERATORS, layer_of_call.rows),
}


_ELEMENTWISE = [
    name
    for name, operator in BY_RELAX.items()
    if operator.te is not None and (operator.operands == 1 or name == "relax.power")
]
"""Others take tensors that TVM broadcasts."""


def legalize(device: Device, policy: Policy = DEFAULTS) -> tvm.ir.transform.Pass:
    """Return the pass that replaces each operator by a call of a TensorIR function."""

    def kernel(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        layer = _computed(_LAYERS[call.op.name](call), device)
        if layer is not None:
            data, beside = _operands(call, layer)
            result = call_of(builder, planned(layer, device, policy), data, beside)
            if result is not None:
                return _results(builder, call, result)
        define = extremes.DEFINED.get(call.op.name) or call.op.get_attr("FLegalize")
        return define(builder, call)

    def softmax(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        layer = layer_of_call.softmax(call)
        plan = None if layer is None else planned(layer, device, policy)
        if layer is None or plan is None or plan.definition is None:
            return call.op.get_attr("FLegalize")(builder, call)
        # Reshaping does nothing, and later passes see that.
        data = _reshaped(builder, call.args[0], layer.data)
        result = call_of(builder, plan, [data])
        assert result is not None
        return _reshaped(builder, builder.emit(result), call.ty.shape)

    def elementwise(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        result = elementwise_operators.defined(builder, call)
        return call.op.get_attr("FLegalize")(builder, call) if result is None else result

    def exact(builder: relax.BlockBuilder, call: relax.Call) -> relax.Expr:
        result = exact_operators.defined(builder, call)
        return call.op.get_attr("FLegalize")(builder, call) if result is None else result

    definitions = dict.fromkeys(_ELEMENTWISE, elementwise) | dict.fromkeys(_LAYERS, kernel)
    definitions = extremes.DEFINED | definitions
    definitions |= dict.fromkeys(exact_operators.EXACT, exact)
    definitions |= code_operators.DEFINED
    definitions[SURROUND] = partial(surround_defined, gpu=bool(device.gpu_code))
    definitions[operators.COPY] = lambda builder, call: copied(builder, call.args[0])
    definitions |= dict.fromkeys(("relax.nn.softmax", "relax.nn.log_softmax"), softmax)
    return relax.transform.LegalizeOps(definitions)


def _computed(layer: Layer | None, device: Device) -> Layer | None:
    """Return a layer as kernels of the device's can be asked for, None where none are."""
    if isinstance(layer, Product) or (isinstance(layer, Convolution) and not layer.is_depthwise):
        layer = replace(layer, element=device.multiplied(layer.element))
    if layer is None or device.computes(layer.element):
        return layer
    # What only moves elements moves others as it does those of float32.
    return replace(layer, element=FLOAT32) if isinstance(layer, Resample | Rows) else None


def _reshaped(builder: relax.BlockBuilder, data: relax.Expr, shape: Sequence[int]) -> relax.Expr:
    if [int(n) for n in data.ty.shape] == [int(n) for n in shape]:
        return data
    call = builder.normalize(relax.op.reshape(data, shape))
    return builder.emit(call.op.get_attr("FLegalize")(builder, call))


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
