"""Tensors whose axes are stored in another order, and the rewriting of calls that read them.

Each variable of the new function is stored either as the old one was or permuted. Operators that
do not care about the order of axes (element-wise ones) take the permuted operands, those with
axes have a rule that maps them, and whatever is not known here gets its operands in the old order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tvm
from tvm import relax

from .constants import constant, value_of

_ELEMENTWISE = frozenset(
    f"relax.{name}"
    for name in (
        *("add", "subtract", "multiply", "divide", "maximum", "minimum", "power", "clip"),
        *("abs", "exp", "log", "negative", "rsqrt", "sigmoid", "sqrt", "square", "tanh", "astype"),
        *("nn.relu", "nn.relu6", "nn.leakyrelu", "nn.silu", "nn.gelu", "nn.gelu_tanh"),
        *("nn.softplus", "nn.selu"),
    )
)


@dataclass(frozen=True)
class Permuted:
    """An expression of the new function; axis ``i`` of it is axis ``order[i]`` of the old one."""

    expr: relax.Expr
    order: tuple[int, ...]

    @property
    def plain(self) -> bool:
        """Whether the axes are in the old order."""
        return self.order == tuple(range(len(self.order)))

    def axis(self, old: int) -> int:
        """Return where an axis of the old value, possibly negative, is now."""
        return self.order.index(old % len(self.order))


class Rewriter:
    """Builds the new function, a binding at a time.

    Attributes
    ----------
    builder : relax.BlockBuilder
        Where the new function is being built.
    rules : dict
        How the operators that have axes are rewritten, by name. A rule takes the rewriter and
        the old call, and returns None where it does not fit.
    values : dict
        The new value of each variable of the old function; a list for a tuple.
    """

    def __init__(self, builder: relax.BlockBuilder, rules: dict[str, Rule]) -> None:
        self.builder, self.rules = builder, rules
        self.values: dict[relax.Var, Permuted | list[Permuted]] = {}

    def value(self, expr: relax.Expr) -> Permuted:
        """Return the new value of an operand."""
        if isinstance(expr, relax.Var):
            found = self.values[expr]
            if isinstance(found, Permuted):
                return found
            return Permuted(relax.Tuple([self.ordered(v) for v in found]), ())
        rank = len(expr.ty.shape) if hasattr(expr.ty, "shape") else 0
        return Permuted(expr, tuple(range(rank)))

    def ordered(self, value: Permuted, order: Sequence[int] | None = None) -> relax.Expr:
        """Return the value with its axes in an order; by default the old one."""
        wanted = tuple(order) if order is not None else tuple(range(len(value.order)))
        if value.order == wanted:
            return value.expr
        axes = [value.order.index(axis) for axis in wanted]
        array = value_of(value.expr)
        if array is not None:
            return constant(np.transpose(array, axes))
        return self.builder.emit(relax.op.permute_dims(value.expr, axes))

    def names(self) -> Iterator[tuple[relax.Var, str]]:
        """Yield the variables of the new function with the names of those they stand for."""
        for old, new in self.values.items():
            for value in new if isinstance(new, list) else [new]:
                if isinstance(value.expr, relax.Var):
                    yield value.expr, str(old.name)

    def bind(self, expr: relax.Expr) -> Permuted | list[Permuted]:
        """Return the new value of what a variable of the old function is bound to."""
        if isinstance(expr, relax.Call):
            return self.rewrite(expr)
        if isinstance(expr, relax.Tuple):
            return [self.value(field) for field in expr.fields]
        if isinstance(expr, relax.TupleGetItem):
            fields = self.values[expr.tuple_value]
            assert isinstance(fields, list)
            return fields[expr.index]
        if isinstance(expr, relax.Var):
            return self.values[expr]
        return self.value(expr)

    def rewrite(self, call: relax.Call) -> Permuted | list[Permuted]:
        """Emit the new form of a call."""
        rule = self.rules.get(call.op.name) if isinstance(call.op, tvm.ir.Op) else None
        result = rule(self, call) if rule else None
        if result is None and isinstance(call.op, tvm.ir.Op) and call.op.name in _ELEMENTWISE:
            result = self.elementwise(call)
        if result is None:
            args = [
                self.ordered(self.value(arg)) if is_tensor(arg) else self.value(arg).expr
                for arg in call.args
            ]
            new = self.builder.emit(relax.Call(call.op, args, call.attrs, call.ty_args))
            if isinstance(call.ty, relax.TupleType):
                return [
                    Permuted(self.builder.emit(relax.TupleGetItem(new, i)), plain_order(field))
                    for i, field in enumerate(call.ty.fields)
                ]
            return Permuted(new, plain_order(call.ty))
        return result

    def elementwise(self, call: relax.Call) -> Permuted | None:
        """Emit an element-wise operator in the order of its first permuted operand.

        Return None where no operand is permuted, or one has more axes than that one.
        """
        operands = [self.value(arg) for arg in call.args]
        order = next((v.order for v in operands if not v.plain), None)
        if order is None or any(len(v.order) > len(order) for v in operands):
            return None
        rank, args = len(order), []
        for old, operand in zip(call.args, operands, strict=True):
            size = len(operand.order) if is_tensor(old) else 0
            if not 0 < size < rank:
                args.append(self.ordered(operand, order) if size else operand.expr)
                continue
            # Broadcasting aligns axes from the right, which only holds in the old order.
            shape = [1] * (rank - size) + [int(n) for n in old.ty.shape]
            array = value_of(operand.expr)
            whole = (
                constant(array.reshape(shape))
                if array is not None
                else self.builder.emit(relax.op.reshape(self.ordered(operand), shape))
            )
            args.append(self.ordered(Permuted(whole, tuple(range(rank))), order))
        return Permuted(self.builder.emit(relax.Call(call.op, args, call.attrs)), order)


def is_tensor(expr: relax.Expr) -> bool:
    """Tell whether the expression is one tensor: no tuple, shape or attribute."""
    return isinstance(expr.ty, relax.TensorType)


def plain_order(ty: relax.Type) -> tuple[int, ...]:
    """Return the order of axes of a tensor that is stored as the old one was."""
    return tuple(range(len(ty.shape))) if isinstance(ty, relax.TensorType) else ()


Rule = Callable[[Rewriter, relax.Call], "Permuted | list[Permuted] | None"]
