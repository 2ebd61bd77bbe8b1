"""A program as a flat list of calls of kernels, over one planned workspace."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import tvm
from tvm import relax

from tvmlcnn.graph.constants import is_call_of
from tvmlcnn.graph.variables import bindings

from .memory_plan import Lifetime, plan_memory


class Base(IntEnum):
    """What a place is counted from; the numbers are those of ``Base`` in ``program.h``."""

    WORKSPACE = 0
    WEIGHTS = 1
    INPUT = 2
    OUTPUT = 3


@dataclass(frozen=True)
class Place:
    """Where an argument of a kernel lies: ``offset`` bytes after the beginning of something.

    Attributes
    ----------
    base : Base
    index : int
        Which input or output; which weight, as long as it is not known where the weights lie.
    offset : int
    """

    base: Base
    index: int
    offset: int


@dataclass(frozen=True)
class Call:
    """A call of a kernel."""

    function: str
    arguments: tuple[Place, ...]


@dataclass(frozen=True)
class Copy:
    """An output that no kernel writes to its place: it is an input, a weight, or seen twice."""

    source: Place
    output: int
    bytes: int


@dataclass(frozen=True)
class FlatProgram:
    """A network for one size of its inputs.

    Attributes
    ----------
    calls : tuple of Call
        In the order in which they run.
    copies : tuple of Copy
        What is done after them.
    workspace : int
        Bytes that the tensors between kernels take.
    """

    calls: tuple[Call, ...]
    copies: tuple[Copy, ...]
    workspace: int


@dataclass(frozen=True)
class _Seen:
    """What a variable stands for: a part of an input, a weight or a tensor of the program."""

    kind: Base
    index: int
    offset: int = 0


def flatten(main: relax.Function, weights: Sequence[int]) -> FlatProgram:
    """Return a program as calls.

    Parameters
    ----------
    main : relax.Function
        Whose kernels take their results as arguments, and which returns a tuple of tensors.
    weights : sequence of int
        Which weight of the file each of the program's is.
    """
    seen: dict[relax.Expr, Any] = {}
    inputs = 0
    for param in main.params:
        if isinstance(param.ty, relax.TupleType):
            seen[param] = [_Seen(Base.WEIGHTS, index) for index in weights]
        else:
            seen[param] = _Seen(Base.INPUT, inputs)
            inputs += 1
    sizes: list[int] = []
    calls: list[tuple[str, list[_Seen]]] = []
    for binding in bindings(main):
        value = binding.value
        if _is_kernel_call(value):
            calls.append((str(value.op.name_hint), [seen[argument] for argument in value.args]))
        elif is_call_of(value, "relax.builtin.alloc_tensor"):
            seen[binding.var] = _Seen(Base.WORKSPACE, len(sizes))
            sizes.append(_bytes(binding.var.ty))
        else:
            seen[binding.var] = _view(value, seen)
    returned = seen[main.body.body]
    lifetimes = _lifetimes(sizes, calls, returned)
    owners, copies = _outputs(main.ret_ty.fields, returned, sizes)
    plan = plan_memory([lifetimes[tensor] for tensor in lifetimes if tensor not in owners])
    offsets = dict(zip((t for t in lifetimes if t not in owners), plan.offsets, strict=True))

    def place(where: _Seen) -> Place:
        if where.kind is not Base.WORKSPACE:
            return Place(where.kind, where.index, where.offset)
        if where.index in owners:
            return Place(Base.OUTPUT, owners[where.index], where.offset)
        return Place(Base.WORKSPACE, 0, offsets[where.index] + where.offset)

    return FlatProgram(
        tuple(Call(name, tuple(map(place, arguments))) for name, arguments in calls),
        tuple(Copy(place(where), output, size) for where, output, size in copies),
        plan.size,
    )


def _is_kernel_call(value: relax.Expr) -> bool:
    return isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.GlobalVar)


def _view(value: relax.Expr, seen: dict[relax.Expr, Any]) -> Any:
    """Return what an expression stands for that moves nothing."""
    if isinstance(value, relax.Tuple):
        return [_view(field, seen) for field in value.fields]
    if isinstance(value, relax.TupleGetItem):
        return seen[value.tuple_value][value.index]
    if isinstance(value, relax.Call):
        part = seen[value.args[0]]
        if is_call_of(value, "relax.memory.view"):
            return _Seen(part.kind, part.index, part.offset + int(value.args[3].value))
        if is_call_of(value, "relax.reshape") or is_call_of(
            value, "relax.memory.ensure_zero_offset"
        ):
            return part
        raise ValueError(f"a program cannot do {value.op}")
    return seen[value]


def _lifetimes(
    sizes: list[int], calls: list[tuple[str, list[_Seen]]], returned: list[_Seen]
) -> dict[int, Lifetime]:
    """Return from which call to which each tensor is used; what is returned stays to the end."""
    used: dict[int, list[int]] = {}
    for number, (_, arguments) in enumerate(calls):
        for where in arguments:
            if where.kind is Base.WORKSPACE:
                used.setdefault(where.index, []).append(number)
    for where in returned:
        if where.kind is Base.WORKSPACE:
            used.setdefault(where.index, [0]).append(len(calls))
    return {tensor: Lifetime(sizes[tensor], min(at), max(at)) for tensor, at in used.items()}


def _outputs(
    types: Sequence[relax.TensorType], returned: list[_Seen], sizes: list[int]
) -> tuple[dict[int, int], list[tuple[_Seen, int, int]]]:
    """Return which tensors lie in outputs from the beginning, and what is to be copied there."""
    owners: dict[int, int] = {}
    copies = []
    for output, (where, ty) in enumerate(zip(returned, types, strict=True)):
        size = _bytes(ty)
        whole = where.kind is Base.WORKSPACE and where.offset == 0 and sizes[where.index] == size
        if whole and where.index not in owners:
            owners[where.index] = output
        elif size:
            copies.append((where, output, size))
    return owners, copies


def _bytes(ty: relax.TensorType) -> int:
    return math.prod(int(n) for n in ty.shape) * tvm.DataType(str(ty.dtype)).itemsize
