"""What a network may be computed in, and what has to be said for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvmlcnn.errors import UserError, did_you_mean
from tvmlcnn.targets import ELEMENT_TYPES, FLOAT32, Device, ElementType, devices

DTYPES = (*ELEMENT_TYPES, "int8")
"""Element types of weights and of what layers hand on."""


def check_known(dtype: str) -> None:
    """Raise UserError where there is no such type."""
    if dtype not in DTYPES:
        raise UserError(
            f"no dtype {dtype!r}{did_you_mean(str(dtype), DTYPES)}; there are {', '.join(DTYPES)}",
            ("dtype",),
        )


def check_request(dtype: str, given: Any, keep_float: str | Sequence[str]) -> None:
    """Refuse what cannot be asked for together.

    Raises
    ------
    UserError
        If there is no such type, int8 has nothing to be calibrated with, or another type has.
    """
    check_known(dtype)
    if dtype == "int8" and given is None:
        raise UserError(
            "int8 needs inputs to be calibrated with: a folder of photos, a .npy or .npz, arrays; "
            "or 'random', which shows the speed and no accuracy",
            parameters=("calibration",),
        )
    if dtype != "int8" and given is not None:
        raise UserError(
            f"calibration data is for int8, and the dtype is {dtype}", ("dtype", "calibration")
        )
    if dtype != "int8" and keep_float:
        raise UserError("what stays float32 can be said for int8 alone", ("dtype", "keep_float"))


# Of processors by LLVM's names, where no target is called after one.
_PROCESSORS = {
    "float16": "native on x86 with AVX512-FP16, and TVM's of such, as sapphirerapids",
    "bfloat16": "native on x86 with AVX-512 BF16, and TVM's of such, as znver4",
}


def element_for(dtype: str, device: Device) -> ElementType:
    """Return what a device is to compute layers of float32 in; float32 also for int8.

    Raises
    ------
    UserError
        If it has no arithmetic of the type.
    """
    element = ELEMENT_TYPES.get(dtype, FLOAT32)
    if device.computes(element):
        return element
    names = [name for name, other in devices().items() if other.computes(element)]
    having = [*names, *([_PROCESSORS[dtype]] if dtype in _PROCESSORS else [])]
    raise UserError(
        f"{device.name} does not compute in {dtype}; what does: {'; '.join(having)}",
        ("dtype", "target"),
    )
