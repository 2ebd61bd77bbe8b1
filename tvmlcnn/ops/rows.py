"""Loops written out over rows that do not depend on each other, for what TE has no words for.

Sorting, scans, searches and non-maximum suppression go through a row step by step. A row is the
work of one core on a CPU, of one thread on a GPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tvm import te, tirx
from tvm.script.ir_builder import IRBuilder
from tvm.script.ir_builder import tirx as T

_GPU_THREADS = 64  # of a block: two warps, since each goes its own way through its row


@dataclass(frozen=True)
class Result:
    """A tensor that a kernel writes: shape and element type."""

    shape: tuple[int, ...]
    dtype: str


def written(
    bodies: Sequence[Callable[..., None]],
    data: Sequence[te.Tensor],
    results: Sequence[Result],
    name: str,
) -> list[te.Tensor]:
    """Return the tensors that a kernel of written loops computes.

    Parameters
    ----------
    bodies : sequence of callable
        Each emits a nest of loops; takes the buffers of the data, then those of the results.
    data : sequence of te.Tensor
    results : sequence of Result
    name : str
        Of the block.
    """

    def build(ins: Sequence[tirx.Buffer], outs: Sequence[tirx.Buffer]) -> tirx.Stmt:
        nests = []
        for body in bodies:
            with IRBuilder() as builder:
                body(*map(T.buffer_proxy, [*ins, *outs]))
                nests.append(builder.get())
        return nests[0] if len(nests) == 1 else tirx.SeqStmt(nests)

    made = te.extern(
        [result.shape for result in results],
        list(data),
        build,
        name=name,
        dtype=[result.dtype for result in results],
        in_buffers=[tirx.decl_buffer(t.shape, t.dtype, f"data{i}") for i, t in enumerate(data)],
        out_buffers=[tirx.decl_buffer(r.shape, r.dtype, f"out{i}") for i, r in enumerate(results)],
    )
    return [made] if isinstance(made, te.Tensor) else list(made)


@contextmanager
def rows(count: int, gpu: bool) -> Iterator[tirx.Var]:
    """Go through rows, all at once; what is emitted inside is done for the row that is given."""
    if not gpu:
        with T.parallel(0, count) as row:
            yield row
        return
    blocks = T.thread_binding(0, -(-count // _GPU_THREADS), thread="blockIdx.x")
    threads = T.thread_binding(0, _GPU_THREADS, thread="threadIdx.x")
    with blocks as block, threads as thread:
        row = block * _GPU_THREADS + thread
        with T.If(row < count), T.Then():
            yield row


def variable(value: Any, dtype: str) -> Any:
    """Return a variable of the row, ``v[0]``, with its first value."""
    made = T.buffer_proxy(T.alloc_buffer((1,), dtype, scope="local"))
    made[0] = tirx.Cast(dtype, value) if hasattr(value, "ty") else tirx.const(value, dtype)
    return made
