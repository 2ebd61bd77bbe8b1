"""Kernels of a GPU run on the CPU: scheduled for CUDA, lowered to OpenCL, run by PoCL.

That checks what a schedule computes (its bindings, shared memory, barriers), and that it stays
inside of its arrays; not what nvcc makes of it. Needs pyopencl and an OpenCL
driver for the CPU (Debian: ``pocl-opencl-icd``).
"""

from __future__ import annotations

import ctypes
import functools
import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pocl_bounds
import pyopencl as cl
from gpu_calls import Calls, launches_of
from pocl_bytes import with_gathered_bytes
from pocl_halves import with_halves
from pocl_warps import with_warps

if TYPE_CHECKING:
    import tvm

    from tvmlcnn.targets import Gpu

_KERNEL = re.compile(r"__kernel void (\w+)\(")
# The limits that the schedules were made for; a warp of one keeps reductions in shared memory.
_OPENCL = {
    "kind": "opencl",
    "max_threads_per_block": 1024,
    "max_shared_memory_per_block": 48 * 1024,
    "thread_warp_size": 1,
    "host": {"kind": "llvm"},
}


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


def source(kernels: tvm.IRModule, device: Gpu) -> str:
    """Return scheduled kernels as OpenCL C, under the names that they have in CUDA.

    They take one more argument than there, for the checks of `pocl_bounds`. What warps compute
    together is as on the device.
    """
    import tvm
    from tvm import tirx
    from tvm.tirx.build import codegen_build, split_host_device_mods

    from tvmlcnn.package.launches import gpu_function

    _know_log1p()
    target = tvm.target.Target(_OPENCL)
    lower, _, finish = tirx.get_default_tir_pipeline(target)
    host, device_mods = split_host_device_mods(lower(tirx.transform.BindTarget(target)(kernels)))
    ((device_target, device_mod),) = device_mods.items()
    text = str(codegen_build(finish()(device_mod), device_target).inspect_source(""))
    sizes = {}
    for variable, function in host.functions.items():
        called = gpu_function(function)
        tensors = [*_bytes(kernels[variable.name_hint]), *called.scratch]
        for launch in called.launches:
            sizes[launch.kernel] = [tensors[number] for number in launch.tensors]
    checked = pocl_bounds.checked(with_gathered_bytes(text), sizes)
    return with_warps(checked, device.capability)


@functools.cache
def _know_log1p() -> None:
    """Tell TVM of OpenCL's function: it has no rule for it, nor for CUDA, which has tvmlcnn's."""
    from tvm import tirx

    def rule(call: tvm.ir.Call) -> tvm.ir.Call:
        return tirx.call_pure_extern(call.ty, "log1p", *call.args)

    tirx.op.register_intrin_lowering("tirx.log1p", target="opencl", f=rule)


def _bytes(function: tvm.tirx.PrimFunc) -> list[int]:
    """Return the sizes of a function's tensors."""
    return [
        math.prod(int(side) for side in parameter.ty.shape)
        * np.dtype(str(parameter.ty.dtype)).itemsize
        for parameter in function.params
    ]


class Kernels:
    """Kernels that can be launched on memory of this process."""

    def __init__(self, text: str) -> None:
        self._text = text
        # PoCL names files after kernels, and those are long of which many operators are a part.
        kernels = sorted(set(_KERNEL.findall(text)))
        self._short = {name: f"kernel_{n}" for n, name in enumerate(kernels)}
        text = _KERNEL.sub(lambda found: found[0].replace(found[1], self._short[found[1]]), text)
        # Unrolled kernels take PoCL long to optimize, and run once.
        self._program = cl.Program(queue().context, with_halves(text)).build("-cl-opt-disable")
        counts = {each.function_name: each.num_args - 1 for each in self._program.all_kernels()}
        self.arguments = {name: counts[short] for name, short in self._short.items()}

    def launch(
        self, name: str, grid: Sequence[int], block: Sequence[int], addresses: Sequence[int]
    ) -> None:
        """Run a kernel on tensors at some addresses, and wait for it.

        Raises
        ------
        IndexError
            If it accesses what is not in its arrays, or vectors that are not aligned.
        """
        kernel = cl.Kernel(self._program, self._short[name])
        trap = np.zeros(4, np.int32)
        kernel.set_args(*(cl.SVM(_memory(address)) for address in (*addresses, trap.ctypes.data)))
        total = tuple(blocks * threads for blocks, threads in zip(grid, block, strict=True))
        cl.enqueue_nd_range_kernel(queue(), kernel, total, tuple(block))
        queue().finish()
        if (fault := pocl_bounds.fault(self._text, trap)) is not None:
            raise IndexError(fault)


def run(kernels: tvm.IRModule, device: Gpu, calls: Calls, arrays: Mapping[str, np.ndarray]) -> None:
    """Run scheduled kernels one after the other, as `gpu.run` does."""
    from tvmlcnn.package.cuda import cuda_source

    launches, scratch = launches_of(cuda_source(kernels, device)[0], calls)
    compiled = Kernels(source(kernels, device))
    there = {name: array.ctypes.data for name, array in {**arrays, **scratch}.items()}
    for launch, places in launches:
        addresses = [there[name] + offset for name, offset in places]
        compiled.launch(launch.kernel, launch.grid, launch.block, addresses)


def _memory(address: int) -> np.ndarray:
    # Only where it begins is of interest: PoCL's kernels read and write the process's memory.
    return np.ctypeslib.as_array((ctypes.c_ubyte * 1).from_address(address))
