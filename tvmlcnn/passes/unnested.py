"""Keep operators from being fused into each other where that makes a kernel too long to compile.

TVM puts what an operator computes in the place of each use. What is used several times, by
operators whose results are used several times, is written out as often as the product of the two:
`fold` of `unfold` took minutes. So it is with the polynomials by which vectors compute a function
(see `tvmlcnn.vector_math.expressions.let`): the time to compile a kernel grows with the power of
how deep they lie in each other; three sines take seconds, a fourth did not end in six minutes.
"""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import tvm
import tvm_ffi
from tvm import ir, relax
from tvm.ir import Call, Op
from tvm.tirx import BufferStore, PrimFunc

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.patterns import with_pattern
from tvmlcnn.graph.permuted import OPAQUE
from tvmlcnn.graph.variables import bindings
from tvmlcnn.vector_math import FUNCTIONS

_DEEPEST = 3  # mish is a tanh of a logarithm of an exponential
_MOST_LOADS = 32
"""Of stored elements for one that is computed. The networks of the zoo have up to 14; kernels of 16
compile in a second, one of 81 did not in two minutes."""
_INJECTIVE = 2  # TVM's OpPatternKind up to which a function is fused with what it reads


class _Written(NamedTuple):
    """What is written out for an element of a value, up to what is stored.

    Attributes
    ----------
    depth : int
        How deep functions that polynomials compute lie in each other.
    loads : int
        Of stored elements.
    """

    depth: int
    loads: int


_STORED = _Written(depth=0, loads=1)


def unnested(mod: tvm.IRModule) -> tvm.IRModule:
    """Have calls whose operators would be written out too often, or too deep, be kernels alone.

    Runs where operators are TensorIR functions whose patterns are annotated. Such calls are of
    copies of their functions that are fused with nothing.
    """
    return with_pattern(mod, _too_long(mod), OPAQUE, "_alone")


def _too_long(mod: tvm.IRModule) -> dict[relax.Var, relax.Call]:
    """Return the calls, by their results, between which there are as many as may be fused."""
    functions: dict[ir.GlobalVar, tuple[int, list[int]]] = {}
    values: dict[relax.Expr, _Written] = {}
    found = {}
    for binding in bindings(mod["main"]):
        value = binding.value
        is_kernel = is_call_of(value, "relax.call_tir")
        inputs = _variables([value.args[1] if is_kernel else value])
        read = [values.get(each, _STORED) for each in inputs]
        deepest = max((each.depth for each in read), default=0)
        if not is_kernel:
            loads = max((each.loads for each in read), default=1)
            values[binding.var] = _Written(deepest, loads)
            continue
        function = value.args[0]
        if function not in functions:
            functions[function] = _depth(mod[function]), _loads(mod[function])
        own, uses = functions[function]
        if int(mod[function].attrs.get("op_pattern", OPAQUE)) > _INJECTIVE:
            values[binding.var] = _Written(own, 1)
            continue
        loads = sum(use * each.loads for use, each in zip(uses, read, strict=True))
        if (own and deepest + own > _DEEPEST) or loads > max(_MOST_LOADS, sum(uses)):
            found[binding.var] = value
            values[binding.var] = _STORED
        else:
            values[binding.var] = _Written(deepest + own, max(loads, 1))
    return found


def _variables(exprs: list[relax.Expr]) -> list[relax.Expr]:
    found = []
    for expr in exprs:
        if isinstance(expr, relax.Tuple):
            found += _variables(list(expr.fields))
        elif isinstance(expr, relax.TupleGetItem):
            found.append(expr.tuple_value)
        else:
            found.append(expr)
    return found


def _depth(function: PrimFunc) -> int:
    """Return how many calls of such functions there are in one, of any depth."""
    calls: list[Call] = []
    tvm_ffi.structural_walk(function.body, (Call, calls.append))
    return sum(isinstance(call.op, Op) and call.op.name in FUNCTIONS for call in calls)


def _loads(function: PrimFunc) -> list[int]:
    """Return how often an element of each input is loaded for one of the result."""
    stores: list[BufferStore] = []
    tvm_ffi.structural_walk(function.body, (BufferStore, stores.append))
    loads: dict[ir.Expr, Counter[ir.Expr]] = {}
    for store in stores:
        read: list[ir.TensorLoad] = []
        tvm_ffi.structural_walk(store.value, (ir.TensorLoad, read.append))
        total: Counter[ir.Expr] = Counter()
        for load in read:
            total.update(loads.get(load.source, {load.source: 1}))
        loads[store.buffer] = total
    results = [loads[buffer] for buffer in function.params if buffer in loads]
    inputs = [buffer for buffer in function.params if buffer not in loads]
    return [max(result[buffer] for result in results) for buffer in inputs]
