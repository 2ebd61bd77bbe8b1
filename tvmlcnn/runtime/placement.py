"""Where tensors live: in the host's memory, shared with numpy, or in a GPU's, copied."""

from __future__ import annotations

import ctypes
from types import ModuleType
from typing import Any, Protocol

import numpy as np

from tvmlcnn.errors import UserError

from .machine import has_nvidia_gpu
from .manifest import TensorSpec
from .native import library_folder

CPU, CUDA = 1, 2  # DLDeviceType
_POOLED = 2  # TVM's allocator that keeps freed memory


class Placement(Protocol):
    """Puts arrays where kernels find them, and takes results from there."""

    devices: tuple[int, ...]
    """Arguments of TVM's ``vm_initialization``: type, number and allocator of each device."""

    def allocate(self, spec: TensorSpec) -> Any:
        """Return room for an input, for `argument`."""

    def argument(self, array: np.ndarray, room: Any) -> Any:
        """Return an array as a tensor for a call, in its room if it has to be copied."""

    def constant(self, array: np.ndarray) -> Any:
        """Return a tensor with the content of an array that stays as it is."""

    def array(self, tensor: Any) -> np.ndarray:
        """Return a copy of a tensor."""


class HostPlacement:
    """Tensors share the memory of numpy arrays."""

    devices: tuple[int, ...] = (CPU, 0, _POOLED)

    def __init__(self, ffi: ModuleType) -> None:
        self._ffi = ffi

    def allocate(self, spec: TensorSpec) -> np.ndarray:
        """Return an array, whose memory is taken when it is first used."""
        return np.empty(spec.shape, spec.dtype)

    def argument(self, array: np.ndarray, room: np.ndarray) -> Any:
        """Return a tensor that shares the memory of the array, or else of the room.

        Kernels take the network's inputs at any address; DLPack has no tensors that are only read.
        """
        if not array.flags.carray:
            np.copyto(room, array)
            array = room
        return self._ffi.from_dlpack(array)

    def constant(self, array: np.ndarray) -> Any:
        """Return a tensor that shares the memory of the array."""
        return self._ffi.from_dlpack(array)

    def array(self, tensor: Any) -> np.ndarray:
        """Return a copy of a tensor."""
        return np.array(np.from_dlpack(tensor))


class DevicePlacement:
    """Tensors are copied to and from the memory of a device."""

    def __init__(self, ffi: ModuleType, device_type: int, number: int = 0) -> None:
        self.devices: tuple[int, ...] = (device_type, number, _POOLED, *HostPlacement.devices)
        self._device = ffi.device(device_type, number)
        self._shape = ffi.Shape
        self._allocate = ffi.get_global_func("runtime.TVMTensorAllocWithScope")
        self._to_device = ffi.get_global_func("runtime.TVMTensorCopyFromBytes")
        self._from_device = ffi.get_global_func("runtime.TVMTensorCopyToBytes")
        self._dtype = ffi.dtype

    def allocate(self, spec: TensorSpec) -> Any:
        """Return a tensor on the device."""
        return self._allocate(self._shape(spec.shape), self._dtype(spec.dtype), self._device, None)

    def argument(self, array: np.ndarray, room: Any) -> Any:
        """Copy an array to the device, into its room."""
        packed = np.ascontiguousarray(array)
        self._to_device(room, ctypes.c_void_p(packed.ctypes.data), packed.nbytes)
        return room

    def constant(self, array: np.ndarray) -> Any:
        """Return a tensor on the device with the content of the array."""
        return self.argument(array, self.allocate(TensorSpec("", array.shape, str(array.dtype))))

    def array(self, tensor: Any) -> np.ndarray:
        """Return a copy of a tensor, when the work that fills it is done."""
        result = np.empty(tuple(tensor.shape), str(tensor.dtype))
        self._from_device(tensor, ctypes.c_void_p(result.ctypes.data), result.nbytes)
        return result


def placement(ffi: ModuleType, kind: str) -> Placement:
    """Return the placement for a target of TVM's kind ``"llvm"`` or ``"cuda"``.

    Raises
    ------
    UserError
        If the target is a GPU and this machine has no driver or no GPU.
    """
    if kind == "llvm":
        return HostPlacement(ffi)
    if not has_nvidia_gpu():
        raise UserError("the model needs an NVIDIA GPU and its driver; this machine has none")
    try:
        ctypes.CDLL(str(library_folder() / "libtvm_runtime_cuda.so"), ctypes.RTLD_GLOBAL)
    except OSError as error:
        raise UserError(f"TVM's CUDA runtime cannot be loaded: {error}") from error
    return DevicePlacement(ffi, CUDA)
