"""What tvmlcnn.h declares and the package itself has no use for."""

from __future__ import annotations

import ctypes


class Tensor(ctypes.Structure):
    """``tvmlcnn_tensor``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("bytes", ctypes.c_size_t),
    )
