"""Kernels of a GPU run by the one of this machine, through NVIDIA's driver."""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
from gpu_calls import Calls, launches_of

from tvmlcnn.runtime.nvidia import find_gpu, has_gpu

if TYPE_CHECKING:
    import tvm

    from tvmlcnn.targets import Gpu

_MAX_DYNAMIC_SHARED = 8  # CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES


def missing() -> bool:
    """Return whether there is no GPU."""
    return not has_gpu()


def run(kernels: tvm.IRModule, device: Gpu, calls: Calls, arrays: Mapping[str, np.ndarray]) -> None:
    """Run scheduled kernels one after the other.

    Parameters
    ----------
    kernels : tvm.IRModule
    device : Gpu
        What they were scheduled for; they are compiled for the one that is here.
    calls : Calls
    arrays : mapping of str to numpy.ndarray
        Their contents are what the kernels leave there.
    """
    from tvmlcnn.package.cuda import cuda_source, find_compiler

    functions, source = cuda_source(kernels, device)
    launches, scratch = launches_of(functions, calls)
    code = (f"sm_{find_gpu().capability}",)
    module = _new(_driver().cuModuleLoadData, find_compiler(code).compile(source, code)[1])
    all_arrays = {**arrays, **scratch}
    there = {
        name: _new(_driver().cuMemAlloc_v2, max(a.nbytes, 1)) for name, a in all_arrays.items()
    }
    for name, array in all_arrays.items():
        _check(_driver().cuMemcpyHtoD_v2(there[name], _at(array), _size(array)))
    for launch, places in launches:
        function = _new(_driver().cuModuleGetFunction, module, launch.kernel.encode())
        _check(_driver().cuFuncSetAttribute(function, _MAX_DYNAMIC_SHARED, launch.shared))
        given = [ctypes.c_uint64(there[name].value + offset) for name, offset in places]
        arguments = (ctypes.c_void_p * len(given))(*map(ctypes.addressof, given))
        shape = (*launch.grid, *launch.block, launch.shared)
        _check(_driver().cuLaunchKernel(function, *shape, None, arguments, None))
        _check(_driver().cuCtxSynchronize())
    for name, array in all_arrays.items():
        _check(_driver().cuMemcpyDtoH_v2(_at(array), there[name], _size(array)))
        _check(_driver().cuMemFree_v2(there[name]))
    _check(_driver().cuModuleUnload(module))


@functools.cache
def _driver() -> ctypes.CDLL:
    """Return the driver, with the first GPU's primary context current."""
    driver = ctypes.CDLL("libcuda.so.1")
    _check(driver.cuInit(0))
    context = ctypes.c_void_p()
    _check(driver.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0))
    _check(driver.cuCtxSetCurrent(context))
    return driver


def _new(create: Any, *arguments: Any) -> ctypes.c_void_p:
    handle = ctypes.c_void_p()
    sizes = (ctypes.c_size_t(a) if isinstance(a, int) else a for a in arguments)
    _check(create(ctypes.byref(handle), *sizes))
    return handle


def _at(array: np.ndarray) -> ctypes.c_void_p:
    return ctypes.c_void_p(array.ctypes.data)


def _size(array: np.ndarray) -> ctypes.c_size_t:
    return ctypes.c_size_t(array.nbytes)


def _check(result: int) -> None:
    assert result == 0, f"NVIDIA's driver says error {result}"
