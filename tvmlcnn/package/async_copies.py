"""Copies from the GPU's memory to shared memory that no thread waits for (cp.async).

A pipelined loop issues the copies of a later step before it computes one, and waits for a group of
them. TVM places the groups and the waits; of its own pass that makes the copies asynchronous
(``InjectPTXAsyncCopy``) vectors with a border around the map are an internal error.

PTX ISA, "cp.async": 4, 8 or 16 bytes, of which those past ``src-size`` are zeros; where that is 0
nothing is read. Where something else is to be there, as the code of zero around a map, a thread
stores it. The variant ``.cg``, of 16 bytes, passes the first cache by.
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
    there, source, otherwise = _source(store.value)
    # What a thread has in registers it stores.
    if source is None or source.source.scope() != "global":
        return store
    size = tvm.DataType(str(store.value.ty.dtype)).itemsize
    if size not in _CACHES:
        return store
    name = _NAME.format(bytes=size)
    to, start = (
        _address(each, places)
        for each, places in ((store.buffer, store.indices), (source.source, source.indices))
    )
    always = tirx.const(True, "bool")
    if otherwise is None or _number(otherwise) == 0:
        return tirx.Evaluate(tirx.call_extern("void", name, to, start, there))
    copy = tirx.Evaluate(tirx.call_extern("void", name, to, start, always))
    return tirx.IfThenElse(there, copy, tirx.BufferStore(store.buffer, otherwise, store.indices))


def _source(value: Expr) -> tuple[Expr, TensorLoad | None, Expr | None]:
    """Return whether a value is read, where, and the one number that it is else."""
    if isinstance(value, TensorLoad):
        return tirx.const(True, "bool"), value, None
    if isinstance(value, Call) and value.op.same_as(Op.get("prim.if_then_else")):
        condition, read, otherwise = value.args
        there, source, inner = _source(read)
        alike = inner is None or _number(inner) == _number(otherwise)
        if source is not None and _number(otherwise) is not None and alike:
            return tirx.all(condition, there), source, otherwise
    return tirx.const(False, "bool"), None, None


def _number(value: Expr) -> float | None:
    """Return the constant that a value, or each number of a vector, is; None if it is none."""
    number = value.value if isinstance(value, Broadcast) else value
    return number.value if isinstance(number, IntImm | FloatImm) else None


def _address(buffer: tirx.Buffer, indices: list[Expr]) -> Expr:
    (place,) = indices
    first = place.base if isinstance(place, Ramp) else place
    return tirx.address_of(tirx.BufferLoad(buffer, [first]))
