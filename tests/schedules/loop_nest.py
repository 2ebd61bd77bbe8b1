"""A scheduled kernel as the loop nest that a reviewer wants to see.

One line for what follows each other without a branch: `parallel m 2 * c 2` is one loop over the
rows and the channels of the block in it, rows outside. Loops of one step are left out, and so are
all indices. Buffers stand where they are allocated, as large as they are there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import tvm
import tvm_ffi
from tvm.ir import Expr
from tvm.s_tir import SBlock, SBlockRealize
from tvm.s_tir import transform as s_tir
from tvm.sym import Analyzer
from tvm.tirx import (
    AttrStmt,
    BufferType,
    Evaluate,
    For,
    ForKind,
    IfThenElse,
    IntImm,
    IterVar,
    PrimFunc,
    SeqStmt,
    Stmt,
    Var,
)

_KINDS = {
    ForKind.SERIAL: "for",
    ForKind.PARALLEL: "parallel",
    ForKind.VECTORIZED: "vectorize",
    ForKind.UNROLLED: "unroll",
}
_INDENT = "  "


def loop_nest(function: PrimFunc) -> str:
    """Return the text of a scheduled function."""
    placed = tvm.transform.Sequential(
        [s_tir.LowerInitBlock(), s_tir.PlanAndUpdateBufferAllocationLocation()]
    )(tvm.IRModule({"main": function}))
    compact = tvm.transform.Sequential(
        [s_tir.ConvertBlocksToOpaque(), s_tir.LiftThreadBinding(), s_tir.CompactBufferAllocation()]
    )(placed)
    sizes = {
        buffer.name: _size(buffer)
        for block in _found(compact["main"].body, SBlock)
        for buffer in block.alloc_buffers
    }
    head = ", ".join(f"{param.name} {_size(param)}" for param in function.params)
    return (
        "\n".join([f"{function.attrs['tvmlcnn.rule']}({head})", *_Writer(sizes).of(placed)]) + "\n"
    )


class _Writer:
    def __init__(self, sizes: dict[str, str]) -> None:
        self._sizes = sizes

    def of(self, mod: tvm.IRModule) -> list[str]:
        return list(self._lines(mod["main"].body, 0))

    def _lines(self, stmt: Stmt, depth: int) -> Iterator[str]:
        margin = _INDENT * depth
        if isinstance(stmt, SeqStmt):
            for part in stmt.seq:
                yield from self._lines(part, depth)
        elif isinstance(stmt, For):
            loops, body = _alike(stmt)
            if loops:
                yield margin + _head(loops)
            yield from self._lines(body, depth + bool(loops))
        elif isinstance(stmt, SBlockRealize):
            yield from self._block(stmt, margin, depth)
        elif isinstance(stmt, IfThenElse):
            yield f"{margin}if"
            yield from self._lines(stmt.then_case, depth + 1)
            if stmt.else_case is not None:
                yield f"{margin}else"
                yield from self._lines(stmt.else_case, depth + 1)
        elif isinstance(stmt, AttrStmt):
            yield from self._lines(stmt.body, depth)
        elif isinstance(stmt, Evaluate):
            names = [var.name for var in _found(stmt, Var) if isinstance(var.ty, BufferType)]
            yield " ".join([margin + stmt.value.op.name.removeprefix("tirx."), *names])
        else:
            raise TypeError(f"{type(stmt).__name__} has no line")

    def _block(self, realize: SBlockRealize, margin: str, depth: int) -> Iterator[str]:
        block = realize.block
        for buffer in block.alloc_buffers:
            scope = str(buffer.ty.storage_scope).replace("global", "")
            yield f"{margin}buffer {buffer.name} {self._sizes[buffer.name]} {scope}".rstrip()
        if not block.iter_vars and _found(block.body, SBlockRealize):
            yield from self._lines(block.body, depth)
            return
        reads, writes = (
            ", ".join(dict.fromkeys(region.source.name for region in regions))
            for regions in (block.reads, block.writes)
        )
        line = f"{margin}{block.name_hint}: {writes}" + (f" <- {reads}" if reads else "")
        if not _is_true(realize.predicate):
            line += ", where in bounds"
        tests = len(_found(block.body, IfThenElse))
        yield line + (f", under {tests} tests" if tests else "")


def _alike(outer: For) -> tuple[list[For], Stmt]:
    """Return the loops of more than one step that are nested and of one kind, and their body."""
    loops: list[For] = []
    body: Stmt = outer
    while isinstance(body, For):
        if _most(body.extent) > 1 or body.kind in (ForKind.PARALLEL, ForKind.THREAD_BINDING):
            if loops and _kind(body) != _kind(loops[0]):
                break
            loops.append(body)
        body = body.body
    return loops, body


def _most(extent: Expr) -> int:
    """Return the steps of a loop; two of one whose steps depend on the loops around it."""
    return int(extent) if isinstance(extent, IntImm) else 2


def _kind(loop: For) -> str:
    """Return what is done to a loop: the threads that it is bound to, where it is to some."""
    if loop.kind == ForKind.THREAD_BINDING:
        return str(loop.thread_binding.thread_tag)
    return _KINDS[loop.kind]


def _head(loops: list[For]) -> str:
    texts = (
        " ".join([_steps(loop), *(f"({name} {loop.annotations[name]})" for name in notes)])
        for loop in loops
        for notes in [sorted(loop.annotations)]
    )
    return f"{_kind(loops[0])} {', '.join(texts)}"


def _steps(loop: For) -> str:
    """Return the axes of the blocks inside that a loop goes along, and how far, outer ones first.

    Of several blocks the first that sums tells the axes, else the first one.
    """
    extent = _most(loop.extent)
    realizes = sorted(
        _found(loop.body, SBlockRealize),
        key=lambda r: all(v.iter_type != IterVar.CommReduce for v in r.block.iter_vars),
    )
    for realize in realizes:
        strides = {
            iterator.var.name.removeprefix("v_"): stride
            for iterator, value in zip(realize.block.iter_vars, realize.iter_values, strict=True)
            if (stride := _stride(value, loop.loop_var, extent))
        }
        if strides:
            text, left = [], extent
            for name, stride in sorted(strides.items(), key=lambda item: -item[1]):
                text.append(f"{name} {left // stride}")
                left = stride
            return " * ".join(text)
    return str(extent)


def _stride(value: Expr, loop: Var, extent: int) -> int:
    """Return after how many steps of a loop an axis moves; 0 where it does not."""
    variables = _found(value, Var)
    if loop not in variables:
        return 0

    def place(step: int) -> int:
        analyzer = Analyzer()
        for variable in variables:
            at = step if variable == loop else 0
            analyzer.bind(variable, IntImm(str(variable.ty.dtype), at))
        return int(analyzer.simplify(value))

    return next((step for step in range(1, extent) if place(step) != place(0)), 0)


def _found(root: Stmt | Expr, kind: type) -> list[Any]:
    """Return the nodes of a kind, in the order of the text."""
    found: list[Any] = []
    tvm_ffi.structural_walk(root, (kind, found.append), order="pre")
    return found


def _size(buffer: Var) -> str:
    """Return the shape of a buffer, its strides where it is not compact, and its type."""
    text = "x".join(str(n) for n in buffer.ty.shape)
    if buffer.ty.strides:
        text += f" (strides {', '.join(map(str, buffer.ty.strides))})"
    dtype = str(buffer.ty.dtype)
    return text if dtype == "float32" else f"{text} {dtype}"


def _is_true(predicate: Expr) -> bool:
    return isinstance(predicate, IntImm) and bool(predicate.value)
