"""What the code of a loaded file takes and returns, as ``c/tvmlcnn.h`` tells it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

import numpy as np

from tvmlcnn.errors import UserError

from .library import Library
from .manifest import Program, TensorSpec


class Tensor(ctypes.Structure):
    """``tvmlcnn_tensor``."""

    _fields_ = (
        ("name", ctypes.c_char_p),
        ("dtype", ctypes.c_char_p),
        ("rank", ctypes.c_uint32),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("bytes", ctypes.c_size_t),
    )


def described(array: np.ndarray) -> str:
    """Return type and shape of an array, as messages say them."""
    return f"{array.dtype} {'x'.join(map(str, array.shape)) or 'scalar'}"


def check_tensors(library: Library, programs: Sequence[Program]) -> None:
    """Raise a UserError where a manifest's programs are not those of the code.

    Arrays are made by the manifest, and the code trusts that they are as large as it says.
    """
    known = [(program.inputs, program.outputs) for program in programs]
    if programs_of(library) != known:
        raise UserError(
            f"{library.path} is damaged: its manifest is of another network; compile it again"
        )


def programs_of(library: Library) -> list[tuple[tuple[TensorSpec, ...], tuple[TensorSpec, ...]]]:
    """Return the inputs and the outputs of each program of a library."""
    functions = library.functions
    return [
        (_tensors(functions.tvmlcnn_inputs, number), _tensors(functions.tvmlcnn_outputs, number))
        for number in range(functions.tvmlcnn_programs())
    ]


def _tensors(function: Callable[..., int | None], program: int) -> tuple[TensorSpec, ...]:
    count = ctypes.c_size_t()
    address = function(program, count)
    found = (Tensor * count.value).from_address(address) if address else ()
    return tuple(
        TensorSpec(each.name.decode(), tuple(each.shape[: each.rank]), each.dtype.decode())
        for each in found
    )
