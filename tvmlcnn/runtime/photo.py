"""Photos as a compiled model takes them."""

from __future__ import annotations

from pathlib import Path
from typing import IO

import numpy as np

from tvmlcnn.errors import UserError

from .manifest import Manifest
from .model import Model
from .preprocessing import Preprocessing, as_input, fitted, read_frame, read_image


def read_photo(path: str | Path | IO[bytes], model: Model | Manifest) -> np.ndarray:
    """Read a photo as the input of a model of one picture.

    Parameters
    ----------
    path : str, Path or binary file
        Any image file that Pillow reads.
    model : Model or Manifest

    Returns
    -------
    numpy.ndarray
        float32 of shape (1, channels, height, width); uint8 of shape (1, height, width, channels)
        where the model takes frames, and of the photo's own size where it resizes them.

    Raises
    ------
    UserError
        If the file is missing or no image, or the input is not one picture.
    """
    how, shape = model.preprocessing or Preprocessing(), model.inputs[0].shape
    if not model.frames:
        return read_image(path, shape, how)
    return taken(read_frame(path, how), model)


def taken(frame: np.ndarray, model: Model | Manifest) -> np.ndarray:
    """Return a picture, uint8 of shape (1, height, width, channels), as `read_photo` returns it.

    Raises
    ------
    UserError
        If the input is not one picture.
    """
    how, shape = model.preprocessing or Preprocessing(), model.inputs[0].shape
    if not model.frames:
        return as_input(frame, shape, how)
    batch, height, width, _ = shape
    if batch != 1:
        raise UserError(
            f"the model's input {shape} is not one picture; give it an array", ("inputs",)
        )
    return frame if model.resizes else fitted(frame, (height, width), how)
