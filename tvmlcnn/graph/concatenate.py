"""Concatenation along the channels: planes of one buffer, which the parts are computed into."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tvm
from tvm import relax

from . import operators
from .permuted import NHWC, Permuted, copied, cut_into_planes

# Operators that may become mere views, which no kernel writes.
_VIEWS = frozenset(
    {operators.JOIN, *(f"relax.{n}" for n in ("reshape", "permute_dims", "squeeze", "expand_dims"))}
)


# Bytes that a tensor's address is a multiple of: TVM copies views of other addresses.
_ALIGNMENT = 64


def aligned(expr: relax.Expr) -> int:
    """Return of how many elements a plane has a multiple, for the next one's address to fit."""
    return _ALIGNMENT // tvm.DataType(str(expr.ty.dtype)).itemsize


class Joins:
    """The joins of one function.

    A part can be computed straight into its place if that is the same in every join that it is
    part of. Joins that begin with the same parts share a buffer; where a part would need two
    places it is copied.
    """

    def __init__(self, builder: relax.BlockBuilder) -> None:
        self._builder = builder
        self._buffers: dict[relax.Expr, list[relax.Expr]] = {}
        self._cuts: dict[tuple[relax.Expr, int], Permuted] = {}
        self._copies: dict[relax.Expr, relax.Expr] = {}

    def concatenate(self, values: Sequence[Permuted], unit: int) -> Permuted | None:
        """Return the concatenation of NHWC values along their channels.

        Parts become planes of one tensor, whole: also channels that are not asked for, if the
        part was split before, so that a later concatenation with the same parts finds them where
        they are. Parts of another width are copied into planes of the width that divides all.

        Returns
        -------
        Permuted or None
            None where there is no such width of at least two ``unit``, or the planes would not be
        aligned.
        """
        wide = math.gcd(*(value.shape[3] for value in values))
        if any(value.shape[3] != wide for value in values) and (wide % unit or wide < 2 * unit):
            return None
        if math.prod(values[0].shape[1:3]) * wide % aligned(values[0].expr):
            return None
        values = [value if value.shape[3] == wide else self._cut(value, wide) for value in values]
        parts: list[relax.Expr] = []
        for value in values:
            parts += [part for part in self._parts(value.expr) if part not in parts]
        batch = values[0].batch
        planes = [int(part.ty.shape[0]) // batch for part in parts]
        first = dict(zip(parts, np.cumsum([0, *planes]), strict=False))
        places = []
        for value in values:
            moved = np.concatenate(
                [
                    first[part] + np.arange(int(part.ty.shape[0]) // batch)
                    for part in self._parts(value.expr)
                ]
            )
            plane, position = np.divmod(value.located(), wide)
            places.append(moved[plane] * wide + position)
        joined = parts[0]
        if len(parts) > 1:
            joined = self._builder.emit(operators.join(self._placed(parts)))
        return Permuted(joined, NHWC, planes=sum(planes)).at(np.concatenate(places))

    def _cut(self, value: Permuted, wide: int) -> Permuted:
        """Return a value in planes of ``wide`` channels; each tensor is copied once."""
        if (value.expr, wide) not in self._cuts:
            self._cuts[value.expr, wide] = cut_into_planes(self._builder, value, wide)
        plane, position = np.divmod(value.located(), value.shape[3])
        block, position = np.divmod(position, wide)
        places = (block * value.planes + plane) * wide + position
        return replace(self._cuts[value.expr, wide], places=places)

    def _parts(self, expr: relax.Expr) -> list[relax.Expr]:
        """Return what a tensor was joined from, or itself."""
        bound = self._bound(expr)
        if bound is not None and bound.op == tvm.ir.Op.get(operators.JOIN):
            return list(bound.args)
        return [self._copies.get(expr, expr)]

    def _placed(self, parts: list[relax.Expr]) -> list[relax.Expr]:
        """Return the parts, or copies of them, that have places one after the other."""
        buffer = self._buffers.get(parts[0])
        shared = 0
        if buffer is not None and all(a == b for a, b in zip(buffer, parts, strict=False)):
            shared = min(len(buffer), len(parts))
        result = parts[:shared]
        for part in parts[shared:]:
            if part in self._buffers or not self._written(part):
                copy = copied(self._builder, part)
                self._copies[part] = part = copy
            result.append(part)
        if not shared:
            buffer = []
        assert buffer is not None
        buffer += result[len(buffer) :]
        for part in result:
            self._buffers[part] = buffer
        return result

    def _written(self, part: relax.Expr) -> bool:
        """Tell whether a kernel writes the tensor, which could so be told where to."""
        bound = self._bound(part)
        return bound is not None and not (
            isinstance(bound.op, tvm.ir.Op) and bound.op.name in _VIEWS
        )

    def _bound(self, expr: relax.Expr) -> relax.Call | None:
        bound = self._builder.lookup_binding(expr) if isinstance(expr, relax.Var) else None
        return bound if isinstance(bound, relax.Call) else None
