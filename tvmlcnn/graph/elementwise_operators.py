"""Element-wise operators in Relax: those that it lacks are registered, and all are defined in TE.

The ones of our own are those of the table whose names begin with ``tvmlcnn.``: of one tensor, with
the table's attributes as numbers. Importing this file registers them.
"""

from __future__ import annotations

import numpy as np
import tvm
from tvm import relax, te, tirx
from tvm.ir import Expr, Op, register_op_attr
from tvm.ir.op import _ffi_api

from tvmlcnn.elementwise import BY_RELAX, OURS

from .constants import value_of


def _type(call: relax.Call, builder: relax.BlockBuilder) -> relax.Type:
    return call.args[0].ty


for _name, _entry in BY_RELAX.items():
    if _name.startswith(OURS) and _entry.te is not None:
        _ffi_api.RegisterOp(_name, f"Element-wise {_name.removeprefix(OURS)}.")
        register_op_attr(_name, "FInferType", _type)
        register_op_attr(_name, "FPurity", True)


def call(name: str, data: relax.Expr, **attributes: float) -> relax.Call:
    """Return a call of an operator of our own.

    Parameters
    ----------
    name : str
        With ``tvmlcnn.``.
    data : relax.Expr
    attributes : float
        All that the table names for it.
    """
    names = BY_RELAX[name].attributes
    assert attributes.keys() == set(names), f"{name} takes {names}"
    numbers = {key: float(value) for key, value in attributes.items()}
    attrs = tvm.ir.make_node("ir.DictAttrs", **numbers) if numbers else None
    return relax.Call(Op.get(name), [data], attrs)


def attributes_of(call: relax.Call) -> tuple[float, ...]:
    """Return the numbers of a call that the table names, in its order."""
    attrs, names = call.attrs, BY_RELAX[call.op.name].attributes
    if isinstance(attrs, tvm.ir.DictAttrs):
        return tuple(float(attrs[name]) for name in names)
    return tuple(float(getattr(attrs, name)) for name in names)


def defined(builder: relax.BlockBuilder, call: relax.Call) -> relax.Call | None:
    """Return the call of a function that computes an operator of one tensor as the table has it.

    Constants beside the tensor are part of the function. None where there are other tensors, where
    TVM broadcasts, or the elements are no floating point numbers.
    """
    entry = BY_RELAX[call.op.name]
    data, *others = call.args
    numbers = [_number(other) for other in others]
    if entry.te is None or None in numbers or value_of(data) is not None:
        return None
    dtype = str(data.ty.dtype)
    if not dtype.startswith("float") or str(call.ty.dtype) != dtype:
        return None
    define, clip = entry.te, entry.operands == 1
    operands = [n if clip else tirx.const(n, dtype) for n in numbers]
    attributes = attributes_of(call)

    def element(value: Expr) -> Expr:
        return define(value, *operands, *attributes)

    def function(tensor: te.Tensor) -> te.Tensor:
        return te.compute(tensor.shape, lambda *place: element(tensor(*place)), name="elementwise")

    hint = call.op.name.rpartition(".")[2]
    return builder.call_te(function, data, primfunc_name_hint=f"tir_{hint}")


def _number(expr: relax.Expr) -> float | None:
    """Return a bound of a clip or a scalar constant, None for any other expression."""
    array = value_of(expr)
    if array is not None:
        return float(array) if array.ndim == 0 and np.issubdtype(array.dtype, np.floating) else None
    return float(expr.value) if isinstance(expr, tirx.FloatImm | tirx.IntImm) else None
