"""The NVIDIA GPU of the machine at hand, as its driver describes it."""

from __future__ import annotations

import ctypes
from dataclasses import dataclass, replace

from tvmlcnn.errors import UserError

from .cuda_capabilities import gpu
from .gpu import Gpu
from .x86 import native

NAME = "cuda-native"
_LIBRARY = "libcuda.so.1"
# CUdevice_attribute of cuda.h.
_CLOCK_KHZ, _MULTIPROCESSORS = 13, 16
_MEMORY_CLOCK_KHZ, _MEMORY_BUS_BITS, _L2_BYTES = 36, 37, 38
_MAJOR, _MINOR = 75, 76
_SHARED_OF_MULTIPROCESSOR, _SHARED_OPT_IN = 81, 97


@dataclass(frozen=True)
class _Driver:
    """NVIDIA's driver, and the first of its GPUs."""

    library: ctypes.CDLL
    device: int

    def name(self) -> str:
        text = ctypes.create_string_buffer(100)
        _check(self.library.cuDeviceGetName(text, len(text), self.device), self.library)
        return text.value.decode(errors="replace")

    def attribute(self, which: int) -> int:
        value = ctypes.c_int()
        given = self.library.cuDeviceGetAttribute(ctypes.byref(value), which, self.device)
        _check(given, self.library)
        return value.value


def cuda_native() -> Gpu:
    """Return the first GPU of this machine.

    What the driver says is its own: multiprocessors, clock, memory, caches. The rest is known from
    its compute capability. `CUDA_VISIBLE_DEVICES` decides which one is the first.

    Raises
    ------
    UserError
        If there is no driver or no GPU here.
    """
    driver = _driver()
    capability = 10 * driver.attribute(_MAJOR) + driver.attribute(_MINOR)
    host = native()
    multiprocessors = driver.attribute(_MULTIPROCESSORS)
    # Data go at both edges of the memory's clock.
    bits = 2 * driver.attribute(_MEMORY_CLOCK_KHZ) * driver.attribute(_MEMORY_BUS_BITS)
    found = gpu(
        NAME,
        f"this machine's {driver.name()}, compute capability {capability / 10}, "
        f"{multiprocessors} multiprocessors",
        capability,
        host.tvm,
        machine=host.machine,
        cores=host.cores,
        multiprocessors=multiprocessors,
        l2_bytes=driver.attribute(_L2_BYTES),
        clock_ghz=driver.attribute(_CLOCK_KHZ) / 1e6 or None,
        bandwidth_gbs=bits / 8 / 1e6 or None,
    )
    return replace(
        found,
        shared_opt_in_bytes=driver.attribute(_SHARED_OPT_IN),
        shared_of_multiprocessor=driver.attribute(_SHARED_OF_MULTIPROCESSOR),
    )


def _driver() -> _Driver:
    try:
        library = ctypes.CDLL(_LIBRARY)
    except OSError as error:
        raise UserError(
            f"no target {NAME!r} here: NVIDIA's driver is missing ({_LIBRARY}); "
            "name the GPU to compile for (`tvmlcnn targets`), or use 'cuda'"
        ) from error
    _check(library.cuInit(0), library)
    count, device = ctypes.c_int(), ctypes.c_int()
    _check(library.cuDeviceGetCount(ctypes.byref(count)), library)
    if not count.value:
        raise UserError(f"no target {NAME!r} here: NVIDIA's driver finds no GPU")
    _check(library.cuDeviceGet(ctypes.byref(device), 0), library)
    return _Driver(library, device.value)


def _check(result: int, library: ctypes.CDLL) -> None:
    if result:
        text = ctypes.c_char_p()
        library.cuGetErrorName(result, ctypes.byref(text))
        name = (text.value or b"").decode() or f"error {result}"
        raise UserError(f"no target {NAME!r} here: NVIDIA's driver says {name}")
