"""Stores of several vectors that are one.

Loops are vectorized one by one, and what a vector of sums becomes is stored alone. Where vectors
that are stored one after the other lie side by side, as codes, or take turns, as channels that are
brought together, there are instructions for all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr, TensorLoad
from tvm.sym import Analyzer
from tvm.tirx import BufferStore, Ramp, SeqStmt, Stmt

from tvmlcnn.targets import CODES, Cpu

from .narrow_codes import narrowed, number_of
from .vectors import bytes_in_turns, in_turns, scalar_of

# Vectors that one store takes at most: an instruction packs four of int32 to one of bytes.
_MOST = 4

Merge = Callable[[Sequence[BufferStore]], BufferStore | None]


def stores_of_vectors(device: Cpu) -> tvm.transform.Pass:
    """Return the pass that merges stores."""
    merges = (partial(_taking_turns, device=device), partial(_side_by_side, device=device))

    def sequence(node: SeqStmt) -> Stmt:
        stmts: list[Stmt] = []
        rest = list(node.seq)
        while rest:
            count, stmt = _first(rest, merges)
            stmts.append(stmt)
            del rest[:count]
        return stmts[0] if len(stmts) == 1 else SeqStmt(stmts)

    def alone(node: BufferStore) -> Stmt:
        return _side_by_side([node], device) or node

    def run(function: tirx.PrimFunc, mod: tvm.IRModule, context: object) -> tirx.PrimFunc:
        body = tvm_ffi.structural_map(function.body, ((SeqStmt, sequence),))
        return function.with_body(tvm_ffi.structural_map(body, ((BufferStore, alone),)))

    return tirx.transform.prim_func_pass(run, opt_level=0, name="stores_of_vectors")


def _first(stmts: Sequence[Stmt], merges: Sequence[Merge]) -> tuple[int, Stmt]:
    """Return how many of the first statements become one, and that."""
    stores = []
    for stmt in stmts[:_MOST]:
        if not isinstance(stmt, BufferStore) or not isinstance(stmt.indices[-1], Ramp):
            break
        stores.append(stmt)
    for merge in merges:
        for count in (4, 2):
            if len(stores) >= count and _together(stores[:count]):
                made = merge(stores[:count])
                if made is not None:
                    return count, made
    return 1, stmts[0]


def _together(stores: Sequence[BufferStore]) -> bool:
    """Tell whether stores are to one buffer that none of their values reads."""
    buffer = stores[0].buffer
    lanes = {int(store.indices[-1].lanes) for store in stores}
    if len(lanes) > 1:
        return False
    if not all(store.buffer.same_as(buffer) and len(store.indices) == 1 for store in stores):
        return False
    read = []

    def visit(load: TensorLoad) -> None:
        read.append(load.source.data.same_as(buffer.data))

    for store in stores:
        tvm_ffi.structural_walk(store.value, (TensorLoad, visit))
    return not any(read)


def _apart(stores: Sequence[BufferStore], step: int) -> bool:
    """Tell whether each store begins so many elements after the one before."""
    analyzer = Analyzer()
    first = stores[0].indices[0].base
    dtype = str(first.ty.dtype)
    return all(
        analyzer.can_prove_equal(store.indices[0].base, first + tirx.const(number * step, dtype))
        for number, store in enumerate(stores)
    )


def _taking_turns(stores: Sequence[BufferStore], device: Cpu) -> BufferStore | None:
    """Merge stores of every fourth element, or every other one, that fill each other's gaps."""
    places = [store.indices[0] for store in stores]
    count, lanes = len(stores), int(places[0].lanes)
    if not all(_is(place.stride, count) for place in places) or not _apart(stores, 1):
        return None
    values = [(_side_by_side([store], device) or store).value for store in stores]
    bytes_ = device.machine == "x86_64" and count == 4 and scalar_of(values[0]) in CODES
    value = (bytes_in_turns if bytes_ else in_turns)(values)
    return BufferStore(stores[0].buffer, value, [Ramp(places[0].base, 1, count * lanes)])


def _side_by_side(stores: Sequence[BufferStore], device: Cpu) -> BufferStore | None:
    """Merge stores of codes that lie one after the other, or make one of what is stored alone."""
    buffer, place = stores[0].buffer, stores[0].indices[-1]
    codes = str(buffer.dtype)
    numbers = [number_of(store.value, codes) for store in stores]
    found = [number for number in numbers if number is not None]
    if len(found) < len(stores):
        return None
    if len(stores) == 1:
        return BufferStore(buffer, narrowed(found, codes, device), list(stores[0].indices))
    lanes = int(place.lanes)
    if not _is(place.stride, 1) or not _apart(stores, lanes):
        return None
    whole = Ramp(place.base, 1, len(stores) * lanes)
    return BufferStore(buffer, narrowed(found, codes, device), [whole])


def _is(value: Expr, number: int) -> bool:
    return isinstance(value, tirx.IntImm) and int(value) == number
