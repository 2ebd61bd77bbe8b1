"""GPU schedules run on the CPU: kernels scheduled for CUDA, lowered to OpenCL, run by PoCL.

That checks what a schedule computes (its bindings, shared memory, barriers), not what nvcc makes
of it. Needs pyopencl and an OpenCL driver for the CPU (Debian: ``pocl-opencl-icd``).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pyopencl as cl
import tvm
import tvm_ffi
from tvm import relax, tirx
from tvm.relax.expr_functor import PyExprMutator, mutator
from tvm.tirx.build import split_host_device_mods

# The limits that the schedules were made for; a warp of one keeps reductions in shared memory.
_OPENCL = {
    "kind": "opencl",
    "max_threads_per_block": 1024,
    "max_shared_memory_per_block": 48 * 1024,
    "thread_warp_size": 1,
    "host": {"kind": "llvm"},
}
_KINDS = ("thread", "block")


def missing() -> bool:
    """Return whether there is no OpenCL driver for the CPU."""
    try:
        queue()
    except (cl.LogicError, StopIteration):
        return True
    return False


@functools.cache
def queue() -> cl.CommandQueue:
    """Return a queue of the first OpenCL device that is a CPU."""
    platforms = cl.get_platforms()
    device = next(d for p in platforms for d in p.get_devices(cl.device_type.CPU))
    return cl.CommandQueue(cl.Context([device]))


def network(mod: tvm.IRModule) -> Callable[..., list[np.ndarray]]:
    """Return ``main`` of a module whose kernels are scheduled for a GPU, as a numpy function.

    ``main`` returns a tuple, as imported networks do. TVM's virtual machine calls the kernels
    on the CPU through OpenCL.
    """
    for variable, function in mod.functions.items():
        if isinstance(function, tirx.PrimFunc):
            name = variable.name_hint
            tvm_ffi.register_global_func(f"pocl.{name}", kernel(function, name), override=True)
    main = _CallByName(mod).visit_expr(mod["main"])
    with tvm.target.Target("llvm"):
        executable = tvm.compile(tvm.IRModule({"main": main}), "llvm")
    machine = relax.VirtualMachine(executable, tvm.cpu())

    def run(*inputs: np.ndarray) -> list[np.ndarray]:
        return [output.numpy() for output in machine["main"](*map(tvm.runtime.tensor, inputs))]

    return run


@mutator
class _CallByName(PyExprMutator):
    def visit_call_(self, call: relax.Call) -> relax.Expr:
        call = super().visit_call_(call)
        if call.op != tvm.ir.Op.get("relax.call_tir"):
            return call
        function, arguments = call.args[:2]
        return relax.call_dps_packed(f"pocl.{function.name_hint}", arguments, call.ty_args[0])


def kernel(function: tirx.PrimFunc, name: str) -> Callable[..., None]:
    """Return a function of tensors, outputs last, that runs a scheduled PrimFunc."""
    device_mod, device_target = _lower(function, name)
    (entry,) = device_mod.functions.values()  # one launch a PrimFunc
    source = tvm.get_global_func("target.build.opencl")(device_mod, device_target)
    # Unrolled kernels take PoCL long to optimize, and run once.
    program = cl.Program(queue().context, source.inspect_source("")).build("-cl-opt-disable")
    launch = cl.Kernel(program, device_mod.get_global_vars()[0].name_hint)
    local, grid = _extents(entry)
    total = tuple(threads * blocks for threads, blocks in zip(local, grid, strict=True))
    parameters = [buffer.name for buffer in function.params]
    # The device function takes the same buffers, in an order of its own.
    order = [parameters.index(re.sub("_ptr$", "", var.name)) for var in entry.params]

    def run(*tensors: Any) -> None:
        context = queue().context
        flags = cl.mem_flags.READ_WRITE | cl.mem_flags.COPY_HOST_PTR
        arrays = [tensor.numpy() for tensor in tensors]
        buffers = [cl.Buffer(context, flags, hostbuf=array) for array in arrays]
        launch(queue(), total, local, *[buffers[place] for place in order])
        cl.enqueue_copy(queue(), arrays[-1], buffers[-1])
        queue().finish()
        tensors[-1].copyfrom(arrays[-1])

    return run


def _lower(function: tirx.PrimFunc, name: str) -> tuple[tvm.IRModule, tvm.target.Target]:
    target = tvm.target.Target(_OPENCL)
    mod = tvm.IRModule({name: function.with_attr("global_symbol", name)})
    lower, _, finish = tirx.get_default_tir_pipeline(target)
    _, device_mods = split_host_device_mods(lower(tirx.transform.BindTarget(target)(mod)))
    ((device_target, device_mod),) = device_mods.items()
    return finish()(device_mod), device_target


def _extents(entry: tirx.PrimFunc) -> tuple[tuple[int, ...], ...]:
    """Return the threads of a block and the blocks of the grid, x, y and z."""
    found: dict[str, int] = {}

    def visit(node: tirx.AttrStmt) -> None:
        if node.attr_key == "thread_extent":
            found[node.node.thread_tag] = int(node.value)

    tvm_ffi.structural_walk(entry.body, (tirx.AttrStmt, visit))
    return tuple(tuple(found.get(f"{kind}Idx.{axis}", 1) for axis in "xyz") for kind in _KINDS)
