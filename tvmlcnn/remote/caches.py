"""Bringing the caches into the state that a kernel finds within a network."""

from __future__ import annotations

import ctypes
import math
from typing import Any

import numpy as np

from . import protocol
from .tvm_runtime import load_runtime


class Caches:
    """What is done to a board's caches before each timed call."""

    def __init__(self) -> None:
        self._room = np.zeros(1, np.float32)
        self._fresh: tuple[int, ...] = ()

    def set(self, size: int, *fresh: int) -> None:
        """Have `evict` pass ``size`` bytes through the caches, and then write the fresh arguments.

        Within a network the weights and the output were last used a whole run ago, while the
        inputs have just been written.
        """
        self._room = np.ones(size // 4, np.float32)  # pages of zeros may be one and the same
        self._fresh = fresh

    def evict(self, *arguments: Any) -> None:
        """Do so, for a call with the arguments."""
        self._room.max()
        for index in self._fresh:
            tensor = arguments[index]
            size = math.prod(tensor.shape) * tensor.dtype.itemsize
            # A view of an evaluator's argument, which DLPack cannot share.
            values = np.ctypeslib.as_array((ctypes.c_uint8 * size).from_address(tensor.data_ptr()))
            np.copyto(values, values.copy())


def register() -> None:
    """Register the functions for a session."""
    ffi = load_runtime()
    caches = Caches()
    ffi.register_global_func(protocol.SET_EVICT, caches.set, override=True)
    ffi.register_global_func(protocol.EVICT, caches.evict, override=True)
