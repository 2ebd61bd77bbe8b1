"""What a network may be computed in, and what has to be said for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tvmlcnn.errors import UserError, did_you_mean

DTYPES = ("float32", "int8")
"""Element types of weights and of what layers hand on."""


def check_request(dtype: str, given: Any, keep_float: str | Sequence[str]) -> None:
    """Refuse what cannot be asked for together.

    Raises
    ------
    UserError
        If there is no such type, int8 has nothing to be calibrated with, or another type has.
    """
    if dtype not in DTYPES:
        raise UserError(
            f"no dtype {dtype!r}{did_you_mean(str(dtype), DTYPES)}; there are {', '.join(DTYPES)}",
            ("dtype",),
        )
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
