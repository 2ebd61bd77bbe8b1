"""How a photo becomes the input of a network."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from tvmlcnn.errors import UserError, reason_of
from tvmlcnn.files import refuse_special

if TYPE_CHECKING:
    from PIL import Image

_MOST_PIXELS = 1 << 27  # of a resized photo, some 400 MB; Pillow takes no larger ones either


@dataclass(frozen=True)
class Preprocessing:
    """Resize, centre crop and normalize, as torchvision's classification presets do.

    Attributes
    ----------
    crop_ratio : float
        Side of the centre crop over the shorter side of the resized photo; 224/256 for the
        classic ImageNet evaluation, 1.0 for no crop margin.
    mean, std : tuple of float
        Per RGB channel, of values scaled to 0..1. The input is ``(x / 255 - mean) / std``.
    """

    crop_ratio: float = 224 / 256
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Preprocessing:
        """Build from what `to_json` returned."""
        return cls(float(data["crop_ratio"]), tuple(data["mean"]), tuple(data["std"]))


def read_image(
    path: str | Path | IO[bytes], shape: tuple[int, ...], how: Preprocessing
) -> np.ndarray:
    """Read a photo as an input array.

    Parameters
    ----------
    path : str, Path or binary file
        Any image file that Pillow reads; colours are converted to RGB, and the orientation
        that a camera noted is applied.
    shape : tuple of int
        ``(1, 3, height, width)`` of the network's input.
    how : Preprocessing

    Returns
    -------
    numpy.ndarray
        float32 of ``shape``.

    Raises
    ------
    UserError
        If the file is missing or no image, or the input is not one RGB image.
    """
    from PIL import Image, ImageOps

    _check_image(shape)
    if isinstance(path, str | Path):
        refuse_special(path)
    try:
        with Image.open(path) as file:
            photo = ImageOps.exif_transpose(file).convert("RGB")
    except FileNotFoundError as error:
        raise UserError(f"no such image: {path}") from error
    except Exception as error:  # Pillow raises many types for a broken file
        raise UserError(f"{path} is not an image that can be read: {reason_of(error)}") from error
    return fit(photo, shape, how)


def fit(photo: Image.Image, shape: tuple[int, ...], how: Preprocessing) -> np.ndarray:
    """Return an RGB picture, as a camera's frame, as an input array; see `read_image`.

    Raises
    ------
    UserError
        If the input is not one RGB image, or the picture is too long and narrow.
    """
    from PIL import Image

    _check_image(shape)
    height, width = shape[2:]
    # torchvision resizes the shorter side to int(crop / ratio) and truncates the longer one.
    scale = max(
        round(height / how.crop_ratio) / photo.height, round(width / how.crop_ratio) / photo.width
    )
    size = (
        max(width, int(photo.width * scale + 1e-6)),
        max(height, int(photo.height * scale + 1e-6)),
    )
    if size[0] * size[1] > _MOST_PIXELS:
        raise UserError(f"a photo of {photo.width}x{photo.height} pixels is too long and narrow")
    photo = photo.resize(size, Image.Resampling.BILINEAR)
    left, top = round((size[0] - width) / 2), round((size[1] - height) / 2)
    return normalize(photo.crop((left, top, left + width, top + height)), how)


def _check_image(shape: tuple[int, ...]) -> None:
    if len(shape) != 4 or shape[:2] != (1, 3):
        raise UserError(
            f"the model's input {shape} is not one RGB image; give it an array",
            parameters=("inputs",),
        )


def normalize(picture: Image.Image, how: Preprocessing) -> np.ndarray:
    """Return an RGB picture as a float32 array of shape (1, 3, height, width)."""
    pixels = np.asarray(picture, dtype=np.float32)
    mean, std = (np.array(values, np.float32) for values in (how.mean, how.std))
    normal = (pixels / 255 - mean) / std
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None], dtype=np.float32)
