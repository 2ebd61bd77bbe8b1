"""What converters of ATen's operators work with: the call in torch's graph, and the new graph."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx
from tvm import relax

from tvmlcnn.graph.constants import constant, is_call_of, value_of

Value = Any
"""A tensor in Relax; a list of them; a number, a bool, a string or None."""

_DTYPES = {
    torch.float32: "float32",
    torch.float64: "float64",
    torch.float16: "float16",
    torch.bfloat16: "bfloat16",
    torch.int64: "int64",
    torch.int32: "int32",
    torch.int16: "int16",
    torch.int8: "int8",
    torch.uint8: "uint8",
    torch.bool: "bool",
}


# Types of less than 32 bits, which a float is made an integer for first.
_SHORT = ("int16", "int8", "uint8")


def dtype_named(dtype: torch.dtype) -> str | None:
    """Return the name of an element type, None for one that cannot be compiled."""
    return _DTYPES.get(dtype)


@dataclass(frozen=True)
class Call:
    """A call of an operator.

    Attributes
    ----------
    node : torch.fx.Node
        Its ``meta["val"]`` has shape and element type of the result.
    raw : dict
        The arguments by the names of ATen's schema, defaults filled in, as torch's graph has them.
    values : dict
        The same in Relax; also to be had as attributes.
    """

    node: fx.Node
    raw: dict[str, Any]
    values: dict[str, Value]

    def __getattr__(self, name: str) -> Value:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"{self.node.target} has no argument {name!r}") from None

    @property
    def shape_(self) -> tuple[int, ...]:
        """Of the result."""
        return tuple(int(n) for n in self.node.meta["val"].shape)

    @property
    def dtype_(self) -> str:
        """Of the result."""
        return _DTYPES[self.node.meta["val"].dtype]

    def promoted(self, *names: str) -> str:
        """Return the element type that torch computes in, given some of the arguments."""
        found = [self.raw[name] for name in names]
        like = [
            torch.empty(f.meta["val"].shape, dtype=f.meta["val"].dtype, device="meta")
            if isinstance(f, fx.Node)
            else f
            for f in found
        ]
        return _DTYPES[torch.result_type(*like)]


class Emitter:
    """Emits operators of Relax into the function that is being built.

    Calling it with an operator's constructor and its arguments emits the operator.
    """

    def __init__(self, builder: relax.BlockBuilder) -> None:
        self.builder = builder

    def __call__(
        self, operator: Callable[..., relax.Expr], *args: Any, **keywords: Any
    ) -> relax.Expr:
        """Return the variable that an operator's result is bound to."""
        return self.builder.emit(operator(*args, **keywords))

    def scalar(self, value: complex, dtype: str) -> relax.Expr:
        """Return a constant without axes."""
        return relax.const(np.asarray(value).astype(dtype), dtype)

    def unexpanded(self, data: relax.Expr, shape: Sequence[int]) -> relax.Expr:
        """Return what a tensor was broadcast from, where it meets one of the result's shape."""
        bound = self.builder.lookup_binding(data) if isinstance(data, relax.Var) else None
        if (
            bound is not None
            and is_call_of(bound, "relax.broadcast_to")
            and shape_of(data) == tuple(shape)
        ):
            return bound.args[0]
        return data

    def cast(self, data: Value, dtype: str) -> relax.Expr:
        """Return a tensor or a number as a tensor of an element type."""
        if not isinstance(data, relax.Expr):
            return self.scalar(data, dtype)
        if dtype_of(data) == dtype:
            return data
        array = value_of(data)
        if array is not None and not array.shape:
            return constant(array.astype(dtype))
        if dtype == "bool":
            zero = self.scalar(0, dtype_of(data))
            return self(relax.op.not_equal, data, zero)
        if "float" in dtype_of(data) and dtype in _SHORT:
            # What is beyond the type wraps around in torch; LLVM leaves it undefined.
            data = self(relax.op.astype, data, "int32")
        return self(relax.op.astype, data, dtype)

    def reshape(self, data: relax.Expr, shape: Sequence[int]) -> relax.Expr:
        """Return the elements of a tensor, in their order, in another shape."""
        if shape_of(data) == tuple(shape):
            return data
        array = value_of(data)
        if array is not None:
            return constant(array.reshape(shape))
        return self(relax.op.reshape, data, tuple(shape))

    def permute(self, data: relax.Expr, axes: Sequence[int]) -> relax.Expr:
        """Return a tensor with its axes in another order."""
        if list(axes) == list(range(len(axes))):
            return data
        array = value_of(data)
        if array is not None:
            return constant(array.transpose(axes))
        return self(relax.op.permute_dims, data, list(axes))

    def slice(self, data: relax.Expr, axis: int, begin: int, end: int, step: int = 1) -> relax.Expr:
        """Return every ``step``-th element from ``begin`` to before ``end`` of one axis."""
        if (begin, step) == (0, 1) and end >= shape_of(data)[axis]:
            return data
        return self(relax.op.strided_slice, data, [axis], [begin], [end], [step])

    def take(self, data: relax.Expr, indices: np.ndarray | relax.Expr, axis: int) -> relax.Expr:
        """Return the elements of one axis that indices of any shape name, none of them negative.

        The indices' axes take the place of that axis. Known ones of an even distance are a slice.
        """
        array = indices if isinstance(indices, np.ndarray) else value_of(indices)
        size = shape_of(data)[axis]
        if array is None:
            return self(relax.op.take, data, indices, axis, "clip")
        if array.size and (array.min() < 0 or array.max() >= size):
            raise ValueError(f"an index is not within an axis of {size}")
        steps = np.unique(np.diff(array)) if array.ndim == 1 else np.zeros(0)
        if array.ndim == 1 and len(array) and (len(array) == 1 or (len(steps) == 1 and steps > 0)):
            step = int(steps[0]) if len(steps) else 1
            return self.slice(data, axis, int(array[0]), int(array[-1]) + 1, step)
        return self(relax.op.take, data, constant(array.astype(np.int64)), axis, "clip")

    def gather(self, data: relax.Expr, index: relax.Expr, axis: int) -> relax.Expr:
        """Return the elements along an axis that an index names, of a place like their own each.

        What is beyond the axis, where torch raises an error, names its first or last element.
        """
        index = self.cast(index, "int64")
        last = self.scalar(max(0, shape_of(data)[axis] - 1), "int64")
        if value_of(index) is None:
            least = self(relax.op.maximum, index, self.scalar(0, "int64"))
            index = self(relax.op.minimum, least, last)
        return self(relax.op.gather_elements, data, index, axis)

    def concat(self, parts: Sequence[relax.Expr], axis: int) -> relax.Expr:
        """Return tensors one after the other along an axis; empty ones are left out."""
        parts = [part for part in parts if math.prod(shape_of(part))] or list(parts[:1])
        return parts[0] if len(parts) == 1 else self(relax.op.concat, list(parts), axis)


def shape_of(data: relax.Expr) -> tuple[int, ...]:
    """Return the shape of a tensor."""
    return tuple(int(n) for n in data.ty.shape)


def dtype_of(data: relax.Expr) -> str:
    """Return the element type of a tensor."""
    return str(data.ty.dtype)


def axes_of(dims: Value, rank: int) -> list[int]:
    """Return axes counted from the front, sorted; all of them for None or an empty list."""
    if dims is None or dims == [] or not rank:
        return list(range(rank))
    return sorted(dim % rank for dim in (dims if isinstance(dims, list) else [dims]))


Converter = Callable[[Emitter, Call], Value]
"""Emits what an operator computes; returns the tensor, or a list for several."""
