"""Kernels as machine code: C functions that take their tensors' addresses.

TVM gives each kernel a wrapper that takes tensors of its own kind and checks them on every call.
Here the compiler has planned all calls, and the checks would say nothing new; without them a call
costs two nanoseconds, and the object file needs none of TVM's libraries.
"""

from __future__ import annotations

import os
import signal
import traceback
from pathlib import Path

import tvm
import tvm_ffi
from tvm import tirx
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Device

from .elf_object import ALIGNMENT
from .lowering import lowered, machine_code
from .zig import full

SYMBOL = "kernel_"
"""What a kernel's name begins with in the object file."""
_POINTER_OF_ARGUMENT = 15  # StructFieldKind kTVMFFIAnyUnionValue of tirx/builtin.h
_CPU = 1  # DLDeviceType
_C_PACKED_FUNC = 1  # CallingConv: what the code generator makes a symbol of


def write_kernels(kernels: tvm.IRModule, device: Device, path: Path) -> int:
    """Write the code of kernels to an object file; return what `generate` says of them."""
    code, scratch = generate(kernels, device)
    write_code(code, path)
    return scratch


def write_code(code: tvm.runtime.Module, path: Path) -> None:
    """Write code to an object file, from a forked process: LLVM ends it where there is no room."""
    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        os.dup2(writing, 2)
        try:
            code.write_to_file(str(path))
            os._exit(0)
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(1)
    os.close(writing)
    try:
        with os.fdopen(reading, errors="replace") as file:
            said = file.read()
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        _, status = os.waitpid(child, 0)
    if status and (number := full(said)):
        raise OSError(number, os.strerror(number), str(path))
    if status:
        raise RuntimeError(f"the code generator failed ({status}): {said.strip()}")


def generate(kernels: tvm.IRModule, device: Device) -> tuple[tvm.runtime.Module, int]:
    """Generate the code of kernels for a CPU.

    Each becomes a function ``int32_t kernel_NAME(Argument *)`` of ``program.h``.

    Parameters
    ----------
    kernels : tvm.IRModule
    device : Device

    Returns
    -------
    tvm.runtime.Module
        The code, which can be written to an object file.
    int
        The most bytes that one thread allocates inside of a kernel.
    """
    entries, scratch = {}, 0
    for variable, function in lowered(kernels, device).functions.items():
        name = variable.name_hint
        entries[tvm.ir.GlobalVar(SYMBOL + name)] = _entry(name, function)
        scratch = max(scratch, _allocated(function.body))
    return machine_code(kernels, tvm.IRModule(entries), device), scratch


def _entry(name: str, packed: PrimFunc) -> PrimFunc:
    """Return what TVM's wrapper wraps, behind a function that takes addresses."""
    alignments, tensors, work = wrapped(packed.body)
    arguments = tirx.Var("arguments", "handle")
    declared = []
    for index, tensor in enumerate(tensors):
        address = tirx.tvm_struct_get(arguments, index, _POINTER_OF_ARGUMENT, "handle")
        data = tirx.reinterpret(tensor.data.ty, address)
        declared.append(tirx.DeclBuffer(tensor.buffer, data=data))
    body = tirx.SeqStmt([*declared, work, tirx.Return(tirx.const(0, "int32"))])
    for key, value in (("device_type", _CPU), ("device_id", 0)):
        body = tirx.AttrStmt("default", key, tirx.const(value, "int32"), body)
    for alignment in alignments:
        body = tirx.AttrStmt(alignment.node, alignment.attr_key, alignment.value, body)
    attributes = {
        "global_symbol": SYMBOL + name,
        "calling_conv": _C_PACKED_FUNC,
        "target": packed.attrs["target"],
    }
    if "tirx.noalias" in packed.attrs:
        attributes["tirx.noalias"] = packed.attrs["tirx.noalias"]
    return PrimFunc([arguments], body, tvm.ir.PrimType("int32")).with_attrs(attributes)


def wrapped(
    stmt: tirx.Stmt,
) -> tuple[list[tirx.AttrStmt], list[tirx.DeclBuffer], tirx.AttrStmt]:
    """Return the alignments of a wrapper, the tensors that it takes, and what it does with them."""
    alignments: list[tirx.AttrStmt] = []
    tensors: list[tirx.DeclBuffer] = []
    while True:
        if isinstance(stmt, tirx.AttrStmt):
            if stmt.attr_key == "compute_scope":
                return alignments, tensors, stmt
            if stmt.attr_key == "storage_alignment":
                alignments.append(stmt)
            stmt = stmt.body
        else:
            tensors += [each for each in stmt.seq if isinstance(each, tirx.DeclBuffer)]
            (stmt,) = (each for each in stmt.seq if isinstance(each, tirx.AttrStmt))


def _allocated(body: tirx.Stmt) -> int:
    """Return the bytes of all that a kernel allocates, each at a cache line."""
    total = 0

    def visit(stmt: tirx.AllocBuffer) -> None:
        nonlocal total
        buffer = stmt.buffer
        size = tvm.DataType(str(buffer.dtype)).itemsize
        for extent in buffer.shape:
            size *= int(extent)
        total += -(-size // ALIGNMENT) * ALIGNMENT

    tvm_ffi.structural_walk(body, (tirx.AllocBuffer, visit))
    return total
