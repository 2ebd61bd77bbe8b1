"""Weights of a step of a sum by one instruction, where a core loads several vectors so (`ld1`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Call, Expr, TensorLoad
from tvm.sym import Analyzer
from tvm.tirx import (
    Add,
    Broadcast,
    BufferLoad,
    BufferStore,
    DeclBuffer,
    Mul,
    Ramp,
    SeqStmt,
    Stmt,
)

from tvmlcnn.targets import Device

from .ld1 import COUNTS, VECTORS, loaded
from .vectors import lanes_of, shuffled

MOST = COUNTS[-1]
"""So many vectors are loaded together at most."""


@dataclass(frozen=True)
class _Use:
    """A vector of weights in a statement of a sequence, so many elements after the first ones."""

    statement: int
    load: TensorLoad
    place: int


def loads_of_vectors(device: Device) -> tvm.transform.Pass:
    """Return the pass that loads a step's weights together, where a kernel writes none of them."""

    def run(function: tirx.PrimFunc, mod: tvm.IRModule, context: object) -> tirx.PrimFunc:
        if not device.loads_at_once(MOST, 0):
            return function
        weights = _only_read(function)

        def sequence(node: SeqStmt) -> Stmt:
            return _together(node, weights, device)

        return function.with_body(tvm_ffi.structural_map(function.body, ((SeqStmt, sequence),)))

    return tirx.transform.prim_func_pass(run, opt_level=0, name="loads_of_vectors")


def _only_read(function: tirx.PrimFunc) -> list[Expr]:
    """Return the flat views of parameters that a function stores nothing in."""
    views: list[Expr] = []
    stored: list[Expr] = []

    def declare(node: DeclBuffer) -> None:
        if isinstance(node.data, Call) and _is_one_of(node.data.args[0], function.params):
            views.append(node.buffer)

    def store(node: BufferStore) -> None:
        if not _is_one_of(node.buffer, stored):
            stored.append(node.buffer)

    tvm_ffi.structural_walk(function.body, ((DeclBuffer, declare), (BufferStore, store)))
    return [view for view in views if not _is_one_of(view, stored)]


def _is_one_of(buffer: Expr, several: Sequence[Expr]) -> bool:
    return any(buffer.same_as(each) for each in several)


def _together(node: SeqStmt, weights: Sequence[Expr], device: Device) -> Stmt:
    before: dict[int, list[Stmt]] = {}
    instead: dict[int, tuple[TensorLoad, Expr]] = {}
    held = _held(node)
    for uses in _by_buffer(node, weights):
        end, address = -1, None
        for group in _groups(uses):
            if len(group) not in COUNTS or not device.loads_at_once(len(group), held):
                continue
            first, lanes = group[0], lanes_of(group[0].load)
            if address is None or first.place != end:
                address = tirx.address_of(BufferLoad(first.load.source, [_base(first.load)]))
            loads, whole, address = loaded(address, len(group), str(first.load.ty.dtype))
            before.setdefault(first.statement, []).extend(loads)
            end = first.place + lanes * len(group)
            for use in uses:
                if first.place <= use.place < end:
                    start = use.place - first.place
                    part = shuffled([whole], range(start, start + lanes))
                    instead[use.statement] = use.load, part
    if not instead:
        return node
    stmts: list[Stmt] = []
    for number, stmt in enumerate(node.seq):
        stmts += [
            *before.get(number, []),
            _replaced(stmt, *instead[number]) if number in instead else stmt,
        ]
    return SeqStmt(stmts)


def _replaced(stmt: Stmt, load: TensorLoad, part: Expr) -> Stmt:
    def taken(node: TensorLoad) -> Expr:
        return part if node.same_as(load) else node

    return tvm_ffi.structural_map(stmt, ((TensorLoad, taken),))


def _held(node: SeqStmt) -> int:
    """Return how many registers hold sums, and the numbers that they get products of."""
    sums, numbers = set(), set()
    for stmt in node.seq:
        if (product := _product(stmt)) is None:
            continue
        number, vector = product
        sums.add(str(stmt.indices))
        read = number.value
        if isinstance(read, TensorLoad) and isinstance(read.indices[0], tirx.IntImm):
            numbers.add(str(int(read.indices[0]) // lanes_of(vector)))
        else:
            numbers.add(str(read))
    return len(sums) + len(numbers)


def _by_buffer(node: SeqStmt, weights: Sequence[Expr]) -> Iterator[list[_Use]]:
    """Yield the uses of each buffer of weights, in the order of the statements."""
    analyzer = Analyzer()
    found: list[list[_Use]] = []
    for number, stmt in enumerate(node.seq):
        load = _weights(stmt)
        if load is None or not _is_one_of(load.source, weights):
            continue
        for uses in found:
            first = uses[0].load
            if first.source.same_as(load.source) and str(first.ty) == str(load.ty):
                place = analyzer.simplify(_base(load) - _base(first))
                if isinstance(place, tirx.IntImm):
                    uses.append(_Use(number, load, int(place)))
                break
        else:
            found.append([_Use(number, load, 0)])
    yield from found


def _groups(uses: Sequence[_Use]) -> Iterator[list[_Use]]:
    """Yield vectors side by side that statements in a row are the first ones to use."""
    firsts: dict[int, _Use] = {}
    for use in uses:
        firsts.setdefault(use.place, use)
    run: list[_Use] = []
    for use in sorted(firsts.values(), key=lambda use: use.place):
        lanes = lanes_of(use.load)
        if run and (use.place, use.statement) != (run[-1].place + lanes, run[-1].statement + 1):
            yield from _cut(run)
            run = []
        run.append(use)
    yield from _cut(run)


def _cut(run: Sequence[_Use]) -> Iterator[list[_Use]]:
    """Yield parts of a run, as few as may be and about equal."""
    parts = -(-len(run) // MOST)
    for part in range(parts):
        yield list(run[len(run) * part // parts : len(run) * (part + 1) // parts])


def _weights(stmt: Stmt) -> TensorLoad | None:
    product = _product(stmt)
    return None if product is None else product[1]


def _product(stmt: Stmt) -> tuple[Broadcast, TensorLoad] | None:
    """Return the number and the vector whose product a statement adds to sums."""
    if not isinstance(stmt, BufferStore) or not isinstance(stmt.value, Add):
        return None
    for product in (stmt.value.a, stmt.value.b):
        if isinstance(product, Mul):
            for number, vector in ((product.a, product.b), (product.b, product.a)):
                if isinstance(number, Broadcast) and _is_whole(vector):
                    return number, vector
    return None


def _is_whole(vector: Expr) -> bool:
    return (
        isinstance(vector, TensorLoad)
        and str(vector.ty.dtype) in VECTORS
        and len(vector.indices) == 1
        and isinstance(vector.indices[0], Ramp)
        and isinstance(vector.indices[0].stride, tirx.IntImm)
        and int(vector.indices[0].stride) == 1
    )


def _base(load: TensorLoad) -> Expr:
    return load.indices[0].base
