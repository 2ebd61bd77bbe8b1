"""The rewriting of calls that read permuted tensors.

Operators that do not care about the order of axes (element-wise ones) take the permuted operands,
those with axes have a rewrite of their own, and whatever is not known here gets its operands as
they were in the old graph.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax

from tvmlcnn.elementwise import BY_RELAX
from tvmlcnn.targets import Device, MultiplyAdd

from .concatenate import Joins
from .constants import constant, is_tensor, value_of
from .permuted import NHWC, Permuted, compact
from .permuted_elementwise import elementwise


class Rewriter:
    """Builds the new function, a binding at a time.

    Attributes
    ----------
    builder : relax.BlockBuilder
        Where the new function is being built.
    rewrites : dict
        How the operators that have axes are rewritten, by name. Each takes the rewriter and the
        old call, and returns None where it does not fit.
    device : Device
    values : dict
        The new value of each variable of the old function; a list for a tuple.
    joins : Joins
    unknown : set of str
        Operators that had to be given their permuted operands as they were in the old graph.
    """

    def __init__(
        self, builder: relax.BlockBuilder, rewrites: dict[str, Rewrite], device: Device
    ) -> None:
        self.builder, self.rewrites, self.device = builder, rewrites, device
        self.values: dict[relax.Var, Permuted | list[Permuted]] = {}
        self.joins = Joins(builder)
        self.unknown: set[str] = set()
        self._widened: dict[relax.Expr, Permuted] = {}
        self._copies: dict[tuple[object, ...], Permuted] = {}

    def multiply_add(self, expr: relax.Expr) -> MultiplyAdd:
        """Return what adds products of a tensor's type to sums."""
        return self.device.multiply_add(self.device.element(str(expr.ty.dtype)))

    def unit(self, expr: relax.Expr) -> int:
        """Return what the number of computed channels is a multiple of, for a tensor's type."""
        return self.multiply_add(expr).lanes

    def value(self, expr: relax.Expr) -> Permuted:
        """Return the new value of an operand."""
        if isinstance(expr, relax.Var):
            found = self.values[expr]
            if isinstance(found, Permuted):
                return found
            return Permuted(relax.Tuple([self.ordered(v) for v in found]), ())
        if isinstance(expr, relax.Tuple):
            return Permuted(relax.Tuple([self.ordered(self.value(f)) for f in expr.fields]), ())
        rank = len(expr.ty.shape) if hasattr(expr.ty, "shape") else 0
        return Permuted(expr, tuple(range(rank)))

    def nhwc(self, expr: relax.Expr) -> Permuted:
        """Return an operand with its channels last, wherever they are.

        Each tensor is transposed once, also where several layers read it.
        """
        value = self.value(expr)
        return value if value.order == NHWC else self.once(_channels_last, value)

    def widened(self, value: Permuted, unit: int) -> Permuted:
        """Return a tensor in one plane with a multiple of ``unit`` channels, the last ones zeros.

        Each tensor is copied once.
        """
        missing = -value.shape[3] % unit
        if not missing:
            return value
        if value.expr not in self._widened:
            wider = self.builder.emit(relax.op.nn.pad(value.expr, [0] * 7 + [missing]))
            self._widened[value.expr] = replace(value, expr=wider, places=value.located())
        return replace(self._widened[value.expr], places=value.located())

    def compact(self, value: Permuted) -> Permuted:
        """Return a tensor with its channels together, in their order."""
        return self.once(_compact, value)

    def once(self, copy: Copy, value: Permuted) -> Permuted:
        """Return a copy of a tensor, which is made once, also where several layers read it."""
        places = None if value.places is None else (value.places.shape, value.places.tobytes())
        key = copy, value.expr, value.order, value.planes, places
        if key not in self._copies:
            self._copies[key] = copy(self, value)
        return self._copies[key]

    def ordered(self, value: Permuted, order: Sequence[int] | None = None) -> relax.Expr:
        """Return all channels of a value with its axes in an order; by default the old one."""
        value = self.compact(value)
        wanted = tuple(order) if order is not None else tuple(range(len(value.order)))
        if value.order == wanted:
            return value.expr
        axes = [value.order.index(axis) for axis in wanted]
        array = value_of(value.expr)
        if array is not None:
            return constant(np.transpose(array, axes))
        return self.builder.emit(relax.op.permute_dims(value.expr, axes))

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
        rewrite = self.rewrites.get(call.op.name) if isinstance(call.op, tvm.ir.Op) else None
        result = rewrite(self, call) if rewrite else None
        if result is None and isinstance(call.op, tvm.ir.Op) and call.op.name in BY_RELAX:
            result = elementwise(self, call)
        if result is None:
            if isinstance(call.op, tvm.ir.Op) and self._is_turned_back(call):
                self.unknown.add(call.op.name)
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

    def _is_turned_back(self, call: relax.Call) -> bool:
        known = call.op.name in BY_RELAX or call.op.name in self.rewrites
        return not known and any(not self.value(a).plain for a in call.args if is_tensor(a))

    def names(self) -> Iterator[tuple[relax.Var, str]]:
        """Yield the variables of the new function with the names of those they stand for."""
        for old, new in self.values.items():
            for value in new if isinstance(new, list) else [new]:
                if isinstance(value.expr, relax.Var):
                    yield value.expr, str(old.name)


def _compact(rewriter: Rewriter, value: Permuted) -> Permuted:
    return compact(rewriter.builder, value)


def _channels_last(rewriter: Rewriter, value: Permuted) -> Permuted:
    return Permuted(rewriter.ordered(value, NHWC), NHWC)


def plain_order(ty: relax.Type) -> tuple[int, ...]:
    """Return the order of axes of a tensor that is stored as the old one was."""
    return tuple(range(len(ty.shape))) if isinstance(ty, relax.TensorType) else ()


Copy = Callable[[Rewriter, Permuted], Permuted]
Rewrite = Callable[[Rewriter, relax.Call], "Permuted | list[Permuted] | None"]
