"""How a photo becomes the input of a network."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from tvmlcnn.errors import UserError, reason_of
from tvmlcnn.files import refuse_special

from .placement import Placement, cropped, letterboxed, stretched

_WHITE = 255
_MOST_PIXELS = 1 << 27  # of a resized photo, some 400 MB; Pillow takes no larger ones either


FITS = ("crop", "letterbox", "stretch")
FILTERS = ("bilinear", "bicubic")
_MODES = {1: "L", 3: "RGB"}
"""Pillow's names of pictures of so many channels."""


@dataclass(frozen=True)
class Preprocessing:
    """Resize, crop or pad, and normalize, by default as torchvision's classification presets do.

    Attributes
    ----------
    crop_ratio : float
        Side of the centre crop over the shorter side of the resized photo; 224/256 for the
        classic ImageNet evaluation, 1.0 for no crop margin.
    mean, std : tuple of float
        Per RGB channel, or of the one channel of grey pictures, of values scaled to 0..1. The
        input is ``(x / 255 - mean) / std``.
    fit : str
        ``"crop"``: the middle of a photo that covers the input; ``"letterbox"``: the whole photo,
        with borders of `fill` on two sides; ``"stretch"``: the whole photo, its sides each resized
        to the input's.
    filter : str
        ``"bilinear"`` or ``"bicubic"``, both antialiased as Pillow has them.
    fill : int
        Value of all channels in a letterbox's borders, 0 to 255.

    Raises
    ------
    ValueError
        If there is no such fit or filter, means and deviations are not of one or of three
        channels, or a number is out of range.
    """

    crop_ratio: float = 224 / 256
    mean: tuple[float, ...] = (0.485, 0.456, 0.406)
    std: tuple[float, ...] = (0.229, 0.224, 0.225)
    fit: str = "crop"
    filter: str = "bilinear"
    fill: int = 114

    def __post_init__(self) -> None:
        if self.fit not in FITS or self.filter not in FILTERS:
            raise ValueError(
                f"fit={self.fit!r}, filter={self.filter!r}: fits are {', '.join(FITS)}, filters "
                f"{', '.join(FILTERS)}"
            )
        # Those of numpy or torch are as good; JSON, which a file has them in, knows only Python's.
        try:
            mean, std = (tuple(map(float, values)) for values in (self.mean, self.std))
        except (TypeError, ValueError):
            raise ValueError("mean and std are numbers of one channel, or of three") from None
        if len(mean) not in _MODES or len(std) != len(mean):
            raise ValueError("mean and std are of one channel, or of three")
        ratio, fill = float(self.crop_ratio), int(self.fill)
        if not all(map(math.isfinite, (*mean, *std, ratio))):
            raise ValueError("mean, std and crop_ratio are finite numbers")
        if fill != self.fill or not 0 <= fill <= _WHITE or not ratio > 0 or 0 in std:
            raise ValueError("fill is an integer from 0 to 255, crop_ratio and std are not 0")
        found = {"mean": mean, "std": std, "crop_ratio": ratio, "fill": fill}
        for name, value in found.items():
            object.__setattr__(self, name, value)

    @property
    def channels(self) -> int:
        """Of a photo: three, or one where it is grey."""
        return len(self.mean)

    def to_json(self) -> dict[str, Any]:
        """Return a JSON object that `from_json` reads back."""
        data, usual = asdict(self), asdict(Preprocessing())
        return {name: data[name] for name in data if name in _ALWAYS or data[name] != usual[name]}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Preprocessing:
        """Build from what `to_json` returned."""
        return cls(**data)

    def placement(self, frame: tuple[int, int], size: tuple[int, int]) -> Placement:
        """Return where a photo lies in the input; both are (height, width)."""
        if self.fit == "crop":
            return cropped(frame, size, self.crop_ratio)
        return letterboxed(frame, size) if self.fit == "letterbox" else stretched(frame, size)

    def __str__(self) -> str:
        numbers = [("mean", self.mean), ("std", self.std)]
        parts = [f"{name} {', '.join(f'{n:.4g}' for n in values)}" for name, values in numbers]
        ratio = f" {self.crop_ratio:.4g} of the shorter side" if self.fit == "crop" else ""
        return "; ".join([f"{self.fit}{ratio}, {self.filter}", *parts])


_ALWAYS = ("crop_ratio", "mean", "std")
"""What a manifest says even where it is the default."""


def read_image(
    path: str | Path | IO[bytes], shape: tuple[int, ...], how: Preprocessing
) -> np.ndarray:
    """Read a photo as an input array.

    Parameters
    ----------
    path : str, Path or binary file
        Any image file that Pillow reads; colours are converted to RGB, or to grey where the
        preprocessing is of one channel, and the orientation that a camera noted is applied.
    shape : tuple of int
        ``(1, 3, height, width)`` of the network's input, or ``(1, 1, height, width)``.
    how : Preprocessing

    Returns
    -------
    numpy.ndarray
        float32 of ``shape``.

    Raises
    ------
    UserError
        If the file is missing or no image, or the input is not one image of so many channels.
    """
    _check_picture(shape, how)  # before a file is read
    return as_input(read_frame(path, how), shape, how)


def _check_picture(shape: tuple[int, ...], how: Preprocessing) -> None:
    """Refuse an input that is not one picture.

    Raises
    ------
    UserError
    """
    if len(shape) != 4 or shape[:2] != (1, how.channels):
        kind = "RGB image" if how.channels == 3 else "grey image"
        raise UserError(
            f"the model's input {shape} is not one {kind}; give it an array",
            parameters=("inputs",),
        )


def as_input(frames: np.ndarray, shape: tuple[int, ...], how: Preprocessing) -> np.ndarray:
    """Return a picture, uint8 of shape (1, height, width, channels), as `read_image` returns it.

    Raises
    ------
    UserError
        If the input is not one picture, or the picture is too long and narrow.
    """
    _check_picture(shape, how)
    height, width = shape[2:]
    return normalized(fitted(frames, (height, width), how), how)


def read_frame(path: str | Path | IO[bytes], how: Preprocessing) -> np.ndarray:
    """Read a photo as it is: uint8 of shape (1, height, width, channels).

    Parameters
    ----------
    path, how
        As `read_image` takes them.

    Raises
    ------
    UserError
        If the file is missing or no image.
    """
    from PIL import Image, ImageOps

    if isinstance(path, str | Path):
        refuse_special(path)
    try:
        with Image.open(path) as file:
            photo = ImageOps.exif_transpose(file).convert(_MODES[how.channels])
    except FileNotFoundError as error:
        raise UserError(f"no such image: {path}") from error
    except Exception as error:  # Pillow raises many types for a broken file
        raise UserError(f"{path} is not an image that can be read: {reason_of(error)}") from error
    return np.asarray(photo).reshape(1, photo.height, photo.width, how.channels)


def fitted(frames: np.ndarray, size: tuple[int, int], how: Preprocessing) -> np.ndarray:
    """Resize pictures by Pillow, and crop or pad them.

    Parameters
    ----------
    frames : numpy.ndarray
        uint8 of shape (N, height, width, channels).
    size : tuple of int
        Height and width of the input.
    how : Preprocessing

    Returns
    -------
    numpy.ndarray
        uint8 of shape (N, *size, channels).

    Raises
    ------
    UserError
        If a picture is so long and narrow that it takes too much memory.
    """
    from PIL import Image

    height, width = frames.shape[1:3]
    place = how.placement((height, width), size)
    if place.width * place.height > _MOST_PIXELS:
        raise UserError(f"a picture of {width}x{height} pixels is too long and narrow")
    box = (place.left, place.top, place.left + size[1], place.top + size[0])
    result = np.empty((len(frames), *size, how.channels), np.uint8)
    for frame, made in zip(frames, result, strict=True):
        photo = Image.fromarray(frame[..., 0] if how.channels == 1 else frame)
        first = (width, place.height) if place.down_first else (place.width, height)
        for sides in (first, (place.width, place.height)):
            photo = photo.resize(sides, Image.Resampling[how.filter.upper()])
        if how.fit == "letterbox":
            whole = Image.new(photo.mode, size[::-1], (how.fill,) * how.channels)
            whole.paste(photo, (-place.left, -place.top))
            photo = whole
        else:
            photo = photo.crop(box)
        made[...] = np.asarray(photo).reshape(made.shape)
    return result


def normalized(frames: np.ndarray, how: Preprocessing) -> np.ndarray:
    """Return pictures, uint8 of shape (N, height, width, channels), as float32, NCHW."""
    mean, std = (np.array(values, np.float32) for values in (how.mean, how.std))
    normal = (frames.astype(np.float32) / 255 - mean) / std
    return np.ascontiguousarray(normal.transpose(0, 3, 1, 2), dtype=np.float32)
