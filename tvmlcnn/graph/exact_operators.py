"""Arithmetic and comparisons in Relax, defined in TE so that TVM does not simplify them wrongly."""

from __future__ import annotations

import math
from collections.abc import Callable

from tvm import relax, te, tirx
from tvm.ir import Expr

from tvmlcnn import exact_arithmetic as exact
from tvmlcnn.ops.broadcasting import broadcast_element

from .constants import value_of

_ONLY_BY_ZERO = ("relax.multiply", "relax.divide")
_DEFINITIONS: dict[str, Callable[..., Expr]] = {
    "relax.subtract": exact.subtract,
    "relax.multiply": exact.multiply,
    "relax.divide": exact.divide,
    "relax.maximum": exact.maximum,
    "relax.minimum": exact.minimum,
    "relax.equal": exact.equal,
    "relax.not_equal": exact.not_equal,
    "relax.less": exact.less,
    "relax.less_equal": exact.less_equal,
    "relax.greater": lambda left, right: exact.less(right, left),
    "relax.greater_equal": lambda left, right: exact.less_equal(right, left),
    "relax.isinf": lambda value: exact.equal(tirx.abs(value), tirx.const(math.inf, value.ty.dtype)),
}
EXACT = tuple(_DEFINITIONS)
"""Their names in Relax."""


def defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call | None:
    """Return the call of a function that computes an operator on floating point numbers.

    Numbers beside the tensors are part of the function. None where TVM's own definition is right:
    for other types, and for products and quotients without the number zero.
    """
    name, dtype = call.op.name, str(call.args[0].ty.dtype)
    arrays = [value_of(argument) for argument in call.args]
    numbers = [None if array is None or array.ndim else float(array) for array in arrays]
    if not dtype.startswith("float") or None not in numbers:
        return None
    if name in _ONLY_BY_ZERO and 0 not in numbers:
        return None
    shape = [int(n) for n in call.ty.shape]
    tensors = [
        argument for argument, number in zip(call.args, numbers, strict=True) if number is None
    ]

    def function(*given: te.Tensor) -> te.Tensor:
        left = iter(given)
        operands = [next(left) if number is None else number for number in numbers]

        def element(*place: tirx.Var) -> Expr:
            values = [
                broadcast_element(operand, shape, place)
                if isinstance(operand, te.Tensor)
                else tirx.const(operand, dtype)
                for operand in operands
            ]
            return _DEFINITIONS[name](*values)

        return te.compute(shape, element, name="elementwise")

    return builder.call_te(function, *tensors, primfunc_name_hint=name.rpartition(".")[2])
