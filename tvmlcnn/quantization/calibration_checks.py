"""What inputs to calibrate with have to be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tvmlcnn.errors import UserError
from tvmlcnn.frontend.exported import Input
from tvmlcnn.input_form import size_of

Example = tuple[np.ndarray, ...]
"""Arrays for the inputs of a network, in order."""

IMAGE_AXES = 4


def refused(message: str) -> UserError:
    """Return the error that says what is wrong with what was given to calibrate with."""
    return UserError(message, parameters=("calibration",))


def check_example(example: Example, inputs: Sequence[Input], where: str) -> None:
    """Refuse an example that the network does not take; ``where`` says which it is."""
    for array, one in zip(example, inputs, strict=True):
        if array.shape != one.shape:
            raise refused(
                f"{where} is of shape {size_of(array.shape)}, the input of {size_of(one.shape)}"
            )
        if array.dtype != one.dtype:
            raise refused(f"{where} is {array.dtype}, the input {one.dtype}")
        if one.dtype.startswith("float") and not np.isfinite(array).all():
            raise refused(f"{where} has elements that are infinite or no numbers")


def check_ranges(
    examples: Sequence[Example], inputs: Sequence[Input], frames: bool, source: str
) -> None:
    """Refuse inputs that show no range; one example may, and integers have none.

    Parameters
    ----------
    examples : sequence of Example
        One or more.
    inputs : sequence of Input
        Of the network.
    frames : bool
        Whether the input is pictures as bytes, (N, height, width, channels).
    source : str
        Of the examples, in words.

    Raises
    ------
    UserError
    """
    for place, one in enumerate(inputs):
        arrays = [example[place] for example in examples]
        name = "" if len(inputs) == 1 else f" of input {place + 1}"
        if one.dtype.startswith(("int", "bool")) or arrays[0].size == 1:
            continue
        if all((array == arrays[0].flat[0]).all() for array in arrays):
            raise refused(f"{source} has the same value everywhere{name}, which shows no range")
        # Of several inputs one may be a level for each pixel.
        if len(inputs) == 1 and len(one.shape) == IMAGE_AXES:
            rows, columns = (1, 2) if frames else (2, 3)
            pixels = one.shape[rows] * one.shape[columns]
            if pixels > 1 and not any(np.ptp(array, (rows, columns)).any() for array in arrays):
                raise refused(f"{source} has pictures of one colour each, which show no range")
