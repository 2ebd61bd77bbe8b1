"""Stores of several vectors, taken together.

Loops are vectorized one by one, and what a vector of sums becomes is stored alone. There are
instructions for several vectors that become codes, or whose numbers take turns.
"""

from __future__ import annotations

from collections.abc import Sequence

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Expr, TensorLoad
from tvm.sym import Analyzer
from tvm.tirx import BufferStore, Ramp, SeqStmt, Stmt

from tvmlcnn.targets import CODES, Device

from .narrow_codes import low_bits_of, narrowed, number_of, taken
from .scaled_codes import scaled, scaled_of
from .vectors import fill_words, in_turns, shuffled, words_in_turns

# Vectors that are taken together: an instruction packs four of int32 to one of bytes.
_COUNTS = (4, 2)


def stores_of_vectors(device: Device) -> tvm.transform.Pass:
    """Return the pass that takes stores together."""

    def sequence(node: SeqStmt) -> Stmt:
        stmts: list[Stmt] = []
        rest = list(node.seq)
        while rest:
            count, made = _first(rest, device)
            stmts += made
            del rest[:count]
        return _sequence(stmts)

    def alone(node: BufferStore) -> Stmt:
        return _sequence(_of_codes([node], device) or [node])

    def run(function: tirx.PrimFunc, mod: tvm.IRModule, context: object) -> tirx.PrimFunc:
        body = tvm_ffi.structural_map(function.body, ((SeqStmt, sequence),))
        return function.with_body(tvm_ffi.structural_map(body, ((BufferStore, alone),)))

    return tirx.transform.prim_func_pass(run, opt_level=0, name="stores_of_vectors")


def _sequence(stmts: list[Stmt]) -> Stmt:
    return stmts[0] if len(stmts) == 1 else SeqStmt(stmts)


def _first(stmts: Sequence[Stmt], device: Device) -> tuple[int, list[Stmt]]:
    """Return how many of the first statements are taken together, and what they become."""
    stores = []
    for stmt in stmts[: max(_COUNTS)]:
        if not isinstance(stmt, BufferStore) or not isinstance(stmt.indices[-1], Ramp):
            break
        stores.append(stmt)
    for merge in (_taking_turns, _of_codes):
        for count in _COUNTS:
            several = stores[:count]
            if len(several) == count and _may_merge(several) and _together(several):
                made = merge(several, device)
                if made:
                    return count, made
    return 1, [stmts[0]]


def _may_merge(stores: Sequence[BufferStore]) -> bool:
    """Tell whether stores are of codes, or leave gaps: what most are not is seen at once."""
    gaps = all(_is(store.indices[-1].stride, len(stores)) for store in stores)
    return gaps or str(stores[0].buffer.dtype) in CODES


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
        read.append(load.source.same_as(buffer))

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


def _taking_turns(stores: Sequence[BufferStore], device: Device) -> list[Stmt]:
    """Merge stores of every fourth element, or every other one, that fill each other's gaps."""
    buffer, places = stores[0].buffer, [store.indices[0] for store in stores]
    count, lanes = len(stores), int(places[0].lanes)
    if not all(_is(place.stride, count) for place in places) or not _apart(stores, 1):
        return []
    codes = [_codes_of([store], device) for store in stores]
    values = [s.value if c is None else c for s, c in zip(stores, codes, strict=True)]
    words = device.machine == "x86_64" and fill_words(values)
    value = (words_in_turns if words else in_turns)(values)
    return [BufferStore(buffer, value, [Ramp(places[0].base, 1, count * lanes)])]


def _of_codes(stores: Sequence[BufferStore], device: Device) -> list[Stmt]:
    """Make codes together, wherever they are stored; by one store where they lie side by side."""
    buffer, codes = stores[0].buffer, _codes_of(stores, device)
    if codes is None:
        return []
    if len(stores) == 1:
        return [BufferStore(buffer, codes, list(stores[0].indices))]
    lanes = int(stores[0].indices[0].lanes)
    whole = tirx.Var("codes", codes.ty)
    made, rest = [tirx.Bind(whole, codes)], list(stores)
    while rest:
        count = next(n for n in range(len(rest), 0, -1) if n == 1 or _side_by_side(rest[:n]))
        first = len(stores) - len(rest)
        part = shuffled([whole], range(first * lanes, (first + count) * lanes))
        place = rest[0].indices[0]
        taken = Ramp(place.base, place.stride, count * lanes)
        made.append(BufferStore(buffer, part, [taken]))
        del rest[:count]
    return made


def _codes_of(stores: Sequence[BufferStore], device: Device) -> Expr | None:
    """Return the codes that are stored, one after the other; None if it is not codes."""
    codes = str(stores[0].buffer.dtype)
    numbers = [number_of(store.value, codes) for store in stores]
    found = [number for number in numbers if number is not None]
    if len(found) == len(stores):
        return narrowed(found, codes, device)
    if device.machine != "aarch64":
        return None
    integers = [made for store in stores if (made := scaled_of(store.value)) is not None]
    if len(integers) == len(stores):
        return scaled(integers)
    bits = [each for store in stores if (each := low_bits_of(store.value)) is not None]
    together = len(bits) == len(stores) and len({bounds for _, bounds in bits}) == 1
    return taken([number for number, _ in bits], bits[0][1]) if together else None


def _side_by_side(stores: Sequence[BufferStore]) -> bool:
    places = [store.indices[0] for store in stores]
    return all(_is(place.stride, 1) for place in places) and _apart(stores, int(places[0].lanes))


def _is(value: Expr, number: int) -> bool:
    return isinstance(value, tirx.IntImm) and int(value) == number
