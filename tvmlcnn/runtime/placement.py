"""Where a picture lies in a network's input: what resizing, cropping and padding do to places."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Placement:
    """A picture that was resized, and which part of it, or what around it, is the input.

    ``c/fitting.c`` computes the same numbers.

    Attributes
    ----------
    width, height : int
        Of the resized picture.
    left, top : int
        Where the input begins in it; negative where there is padding before it.
    scale : tuple of float
        Pixels of the resized picture for one of the original's: along the width, the height.
    down_first : bool
        Whether it is resized along its columns first. Each axis is rounded to bytes, so that the
        order matters. It is that of Pillow 13 (as found by comparing both orders with its results,
        for sizes of all ratios); former ones take the rows first always.
    """

    width: int
    height: int
    left: int
    top: int
    scale: tuple[float, float]
    down_first: bool

    def to_frame(self, places: np.ndarray) -> np.ndarray:
        """Return places in the original picture for places in the input.

        Parameters
        ----------
        places : numpy.ndarray
            Shape (..., 2) of points, x and y, or (..., 4) of boxes, x1, y1, x2 and y2; in pixels
            of the input, counted from its left upper corner.
        """
        places = np.asarray(places)
        pairs = places.shape[-1] // 2
        return (places + np.tile((self.left, self.top), pairs)) / np.tile(self.scale, pairs)


def cropped(frame: tuple[int, int], size: tuple[int, int], ratio: float) -> Placement:
    """Return where a picture lies that is resized to cover the input, and cropped in its middle.

    Parameters
    ----------
    frame, size : tuple of int
        Height and width of the picture, and of the input.
    ratio : float
        See `tvmlcnn.runtime.preprocessing.Preprocessing.crop_ratio`.
    """
    # torchvision resizes the shorter side to int(crop / ratio) and truncates the longer one.
    scale = max(round(n / ratio) / own for n, own in zip(size, frame, strict=True))
    height, width = (max(n, int(own * scale + 1e-6)) for n, own in zip(size, frame, strict=True))
    left, top = round((width - size[1]) / 2), round((height - size[0]) / 2)
    return _placed(frame, (height, width), left, top)


def letterboxed(frame: tuple[int, int], size: tuple[int, int]) -> Placement:
    """Return where a picture lies that is resized into the input, with borders on both sides.

    Sides are rounded to the nearest pixel, and where the borders are odd the first is the smaller
    one, as detectors of the YOLO family are trained.
    """
    scale = min(n / own for n, own in zip(size, frame, strict=True))
    height, width = (
        min(n, max(1, int(own * scale + 0.5))) for n, own in zip(size, frame, strict=True)
    )
    return _placed(frame, (height, width), -((size[1] - width) // 2), -((size[0] - height) // 2))


def stretched(frame: tuple[int, int], size: tuple[int, int]) -> Placement:
    """Return where a picture lies that is resized to the input, its sides each by itself."""
    return _placed(frame, size, 0, 0)


def _placed(frame: tuple[int, int], resized: tuple[int, int], left: int, top: int) -> Placement:
    (height, width), (rows, columns) = frame, resized
    down_first = height - rows > max(0, 2 * (width - columns))
    return Placement(columns, rows, left, top, (columns / width, rows / height), down_first)
