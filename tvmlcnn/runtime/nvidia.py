"""The first NVIDIA GPU of this machine, as its driver describes it."""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from dataclasses import asdict, dataclass

from tvmlcnn.errors import UserError

_LIBRARY = "libcuda.so.1"
# CUdevice_attribute of cuda.h.
_CLOCK_KHZ, _MULTIPROCESSORS = 13, 16
_MEMORY_CLOCK_KHZ, _MEMORY_BUS_BITS, _L2_BYTES = 36, 37, 38
_MAJOR, _MINOR = 75, 76
_SHARED_OF_MULTIPROCESSOR, _SHARED_OPT_IN = 81, 97
_LANES = {50: 128, 60: 64, 61: 128, 70: 64, 86: 128}
"""Multiply-adds of float32 that a multiprocessor begins in a cycle, from a compute capability
(times ten) on: CUDA C++ programming guide, "Throughput of native arithmetic instructions"."""


class NoGpuError(UserError):
    """There is no driver, or no GPU."""


@dataclass(frozen=True)
class NvidiaGpu:
    """A GPU.

    Attributes
    ----------
    name : str
    capability : int
        Times ten.
    multiprocessors : int
    clock_ghz, bandwidth_gbs : float or None
        None where the driver does not say.
    l2_bytes, shared_opt_in_bytes, shared_of_multiprocessor : int
    """

    name: str
    capability: int
    multiprocessors: int
    clock_ghz: float | None
    bandwidth_gbs: float | None
    l2_bytes: int
    shared_opt_in_bytes: int
    shared_of_multiprocessor: int

    @property
    def peak_gflops(self) -> float | None:
        """1e9 float32 operations a second, a multiply-add counted as two."""
        if self.clock_ghz is None:
            return None
        return 2 * self.multiprocessors * float32_lanes(self.capability) * self.clock_ghz


def float32_lanes(capability: int) -> int:
    """Return the multiply-adds of float32 that a multiprocessor begins in a cycle."""
    return _LANES[max((each for each in _LANES if each <= capability), default=min(_LANES))]


def find_gpu() -> NvidiaGpu:
    """Return the first GPU; ``CUDA_VISIBLE_DEVICES`` decides which one that is.

    Raises
    ------
    NoGpuError
        If there is no driver or no GPU here.
    """
    driver = _Driver()
    # Data go at both edges of the memory's clock.
    bits = 2 * driver.attribute(_MEMORY_CLOCK_KHZ) * driver.attribute(_MEMORY_BUS_BITS)
    return NvidiaGpu(
        driver.name(),
        10 * driver.attribute(_MAJOR) + driver.attribute(_MINOR),
        driver.attribute(_MULTIPROCESSORS),
        driver.attribute(_CLOCK_KHZ) / 1e6 or None,
        bits / 8 / 1e6 or None,
        driver.attribute(_L2_BYTES),
        driver.attribute(_SHARED_OPT_IN),
        driver.attribute(_SHARED_OF_MULTIPROCESSOR),
    )


def find_gpu_apart() -> NvidiaGpu | None:
    """Return the first GPU, or None; another process asks for it.

    A process that has used the driver cannot be forked into ones that use it (CUDA C++ programming
    guide, "Initialization"), as sessions of a board are.
    """
    try:
        ctypes.CDLL(_LIBRARY)
    except OSError:
        return None
    command = [sys.executable, "-m", __spec__.name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return NvidiaGpu(**json.loads(done.stdout)) if done.returncode == 0 else None


def has_gpu() -> bool:
    """Tell whether an NVIDIA driver is here and drives a GPU."""
    try:
        _Driver()
    except NoGpuError:
        return False
    return True


class _Driver:
    """NVIDIA's driver, and the first of its GPUs."""

    def __init__(self) -> None:
        try:
            self._library = ctypes.CDLL(_LIBRARY)
        except OSError as error:
            raise NoGpuError(f"NVIDIA's driver is missing ({_LIBRARY})") from error
        self._check(self._library.cuInit(0))
        count, device = ctypes.c_int(), ctypes.c_int()
        self._check(self._library.cuDeviceGetCount(ctypes.byref(count)))
        if not count.value:
            raise NoGpuError("NVIDIA's driver finds no GPU")
        self._check(self._library.cuDeviceGet(ctypes.byref(device), 0))
        self._device = device.value

    def name(self) -> str:
        text = ctypes.create_string_buffer(100)
        self._check(self._library.cuDeviceGetName(text, len(text), self._device))
        return text.value.decode(errors="replace")

    def attribute(self, which: int) -> int:
        value = ctypes.c_int()
        self._check(self._library.cuDeviceGetAttribute(ctypes.byref(value), which, self._device))
        return value.value

    def _check(self, result: int) -> None:
        if result:
            text = ctypes.c_char_p()
            self._library.cuGetErrorName(result, ctypes.byref(text))
            name = (text.value or b"").decode() or f"error {result}"
            raise NoGpuError(f"NVIDIA's driver says {name}")


if __name__ == "__main__":
    try:
        print(json.dumps(asdict(find_gpu())))
    except NoGpuError as error:
        sys.exit(str(error))
