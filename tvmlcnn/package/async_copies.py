"""Copies from the GPU's memory to shared memory that no thread waits for (cp.async).

A pipelined loop issues the copies of a later step before it computes one, and waits for a group of
them. TVM places the groups and the waits; of its own pass that makes the copies asynchronous
(``InjectPTXAsyncCopy``) vectors with a border around the map are an internal error.

PTX ISA, "cp.async": 4, 8 or 16 bytes, of which those past ``src-size`` are zeros; where that is 0
nothing is read. The variant ``.cg``, of 16 bytes, passes the first cache by.
"""

from __future__ import annotations

import tvm
import tvm_ffi
from tvm import tirx
from tvm.ir import Call, Expr, Op, TensorLoad
from tvm.tirx import (
    AttrStmt,
    Broadcast,
    BufferStore,
    FloatImm,
    IntImm,
    PrimFunc,
    Ramp,
    Stmt,
)

_SHARED = ("shared", "shared.dyn")
_GROUP = "async_commit_queue_scope"
_NAME = "tvmlcnn_copy_{bytes}"
_CACHES = {4: "ca", 8: "ca", 16: "cg"}
_SOURCE = """
__device__ __forceinline__ void {name}(void* to, const void* from, bool there) {{
  asm volatile("cp.async.{cache}.shared.global [%0], [%1], {bytes}, %2;"
               :: "r"((unsigned)__cvta_generic_to_shared(to)), "l"(from), "r"(there ? {bytes} : 0)
               : "memory");
}}
"""


def copied_asynchronously(kernels: tvm.IRModule) -> tvm.IRModule:
    """Return kernels of a GPU whose pipelined copies are asynchronous.

    Parameters
    ----------
    kernels : tvm.IRModule
        Lowered, split from their host functions.
    """
    functions = dict(kernels.functions.items())
    for variable, function in functions.items():
        if isinstance(function, PrimFunc) and _is_pipelined(function):
            body = tvm_ffi.structural_map(function.body, [(BufferStore, _copied)])
            functions[variable] = function.with_body(body)
    return tvm.IRModule(functions, attrs=kernels.attrs)


def definitions(source: str) -> str:
    """Return the CUDA C++ of what `copied_asynchronously` has a program call."""
    return "".join(
        _SOURCE.format(name=name, bytes=size, cache=cache)
        for size, cache in _CACHES.items()
        if (name := _NAME.format(bytes=size)) + "(" in source
    )


def _is_pipelined(function: PrimFunc) -> bool:
    """Tell whether a kernel has groups of copies."""
    found: list[AttrStmt] = []

    def note(stmt: AttrStmt) -> None:
        if stmt.attr_key == _GROUP:
            found.append(stmt)

    tvm_ffi.structural_walk(function.body, [(AttrStmt, note)])
    return bool(found)


def _copied(store: BufferStore) -> Stmt:
    """Return the asynchronous copy that a store to shared memory is, or another store as it is."""
    if store.buffer.scope() not in _SHARED:
        return store
    there, source = _source(store.value)
    if source is None:
        return store
    size = tvm.DataType(str(store.value.ty.dtype)).itemsize
    if size not in _CACHES:
        return store
    name = _NAME.format(bytes=size)
    to, start = (
        _address(each, places)
        for each, places in ((store.buffer, store.indices), (source.source, source.indices))
    )
    return tirx.Evaluate(tirx.call_extern("void", name, to, start, there))


def _source(value: Expr) -> tuple[Expr, TensorLoad | None]:
    """Return where a value is read, and whether it is: else it is zero."""
    if isinstance(value, TensorLoad):
        return tirx.const(True, "bool"), value
    if isinstance(value, Call) and value.op.same_as(Op.get("prim.if_then_else")):
        condition, read, otherwise = value.args
        there, source = _source(read)
        if source is not None and _is_zero(otherwise):
            return tirx.all(condition, there), source
    return tirx.const(False, "bool"), None


def _is_zero(value: Expr) -> bool:
    """Tell whether a number, or all numbers of a vector, are zero."""
    number = value.value if isinstance(value, Broadcast) else value
    return isinstance(number, IntImm | FloatImm) and number.value == 0


def _address(buffer: tirx.Buffer, indices: list[Expr]) -> Expr:
    (place,) = indices
    first = place.base if isinstance(place, Ramp) else place
    return tirx.address_of(tirx.BufferLoad(buffer, [first]))
