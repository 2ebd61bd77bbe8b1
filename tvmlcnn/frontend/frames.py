"""Networks that take pictures as a camera gives them: bytes, the channels of a pixel together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from tvmlcnn.errors import UserError
from tvmlcnn.input_form import size_of
from tvmlcnn.runtime.preprocessing import Preprocessing, fitted

from .exported import Input
from .source import Network

INPUTS = ("float32", "uint8")
"""What a network's pictures may be given as: what its module takes, or frames."""
_IMAGE_AXES = 4
_LARGEST_SIDE = 1 << 14
"""Of a picture that is resized: with a frame of 1<<16 the other one is a number of 32 bits too."""


def check_frames(given: str, resize: bool) -> None:
    """Refuse what cannot be asked for together.

    Raises
    ------
    UserError
        If there is no such input, or what is no frame is to be resized.
    """
    if given not in INPUTS:
        raise UserError(f"no input {given!r}; there are {' and '.join(INPUTS)}", ("input",))
    if resize and given != "uint8":
        raise UserError("only frames are resized: with resize the input is uint8", ("resize",))


class OfFrames(torch.nn.Module):
    """A network that takes frames, and what makes its input of them.

    Parameters
    ----------
    network : torch.nn.Module
    how : Preprocessing
    keyword : str or None
        By which ``forward`` takes the input; None where it takes it by its place.
    """

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, network: torch.nn.Module, how: Preprocessing, keyword: str | None) -> None:
        super().__init__()
        mean, std = (np.array(numbers, np.float64) for numbers in (how.mean, how.std))
        along = (1, -1, 1, 1)
        # (x / 255 - mean) / std, as a multiplication and an addition.
        scale, shift = 1 / (255 * std), -mean / std
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float32).reshape(along))
        self.register_buffer("shift", torch.tensor(shift, dtype=torch.float32).reshape(along))
        self.network = network
        self._keyword = keyword

    def forward(self, frame: torch.Tensor) -> object:
        """Return what the network makes of frames, uint8 of shape (N, height, width, channels)."""
        image = frame.permute(0, 3, 1, 2).to(self.scale.dtype) * self.scale + self.shift
        return (
            self.network(image) if self._keyword is None else self.network(**{self._keyword: image})
        )


@torch.library.custom_op("tvmlcnn::centred", mutates_args=())
def centred(frame: torch.Tensor, zeros: list[int]) -> torch.Tensor:
    """Return frames less an integer for each channel: float32, NCHW, of frames NHWC.

    It is what integer kernels read as the bytes that it is made of.
    """
    return frame.permute(0, 3, 1, 2).float() - torch.tensor(zeros).reshape(1, -1, 1, 1)


@centred.register_fake
def _(frame: torch.Tensor, zeros: list[int]) -> torch.Tensor:
    batch, height, width, channels = frame.shape
    return frame.new_empty((batch, channels, height, width), dtype=torch.float32)


def of_frames(network: Network, resizes: bool) -> Network:
    """Return a network that takes frames instead of normalized pictures.

    Parameters
    ----------
    network : Network
    resizes : bool
        Whether the frames are to be of any size.

    Raises
    ------
    UserError
        If the network takes anything but one picture, does not say how a photo becomes it, or has
        several sizes to which a frame could be resized.
    """
    how = network.preprocessing
    if len(network.inputs) != 1:
        raise UserError(
            f"frames are for a network of one input; this one has {len(network.inputs)}", ("input",)
        )
    (one,) = network.inputs
    if one.dtype != "float32" or len(one.shape) != _IMAGE_AXES or one.shape[1] not in (1, 3):
        raise UserError(
            f"frames become an input of NxCxHxW, float32, of 1 or 3 channels; the model takes "
            f"{size_of(one.shape)}, {one.dtype}",
            ("input",),
        )
    if how is None:
        raise UserError(
            "the model does not say how pixels become its input, which a file of frames computes: "
            "give its module an attribute `preprocessing`, as Preprocessing(mean=..., std=...) of "
            "tvmlcnn.runtime.preprocessing",
            ("input",),
        )
    if how.channels != one.shape[1]:
        raise UserError(
            f"the model's preprocessing is of {how.channels} channels, its input "
            f"{size_of(one.shape)} of {one.shape[1]}",
            ("input",),
        )
    if resizes and len({inputs[0].shape[2:] for inputs in network.variants}) > 1:
        raise UserError(
            "frames are resized to one size; the input shape leaves several",
            ("input_shape", "resize"),
        )
    if resizes and max(one.shape[2:]) / how.crop_ratio > _LARGEST_SIDE:
        raise UserError(f"frames are resized to {_LARGEST_SIDE} pixels a side at most", ("resize",))
    module = OfFrames(network.module, how, one.keyword)
    module.training = False  # exported programs cannot be told so
    return replace(
        network,
        module=module,
        variants=tuple((_frame(inputs[0]),) for inputs in network.variants),
        takes_frames=True,
        resizes=resizes,
    )


def _frame(one: Input) -> Input:
    batch, channels, height, width = one.shape
    return Input((batch, height, width, channels), "uint8")


def as_called(network: Network, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return the inputs that a network's module is called with for those that its file gets."""
    return [fitted_frames(network, array) for array in inputs]


def fitted_frames(network: Network, array: np.ndarray) -> np.ndarray:
    """Return what a network's module gets of an array that its file gets: resized frames.

    What are no frames, one or several of the same size, stays as it is.
    """
    _, height, width, channels = network.inputs[0].shape if network.resizes else (0, 0, 0, 0)
    is_frames = array.ndim in (_IMAGE_AXES - 1, _IMAGE_AXES) and array.dtype == np.uint8
    if not is_frames or array.shape[-1] != channels or not array.size:
        return array
    assert network.preprocessing is not None, "frames are of networks that have one"
    frames = array.reshape(-1, *array.shape[-3:])
    result = fitted(frames, (height, width), network.preprocessing)
    return result.reshape(*array.shape[:-3], height, width, channels)


def as_given(network: Network) -> tuple[Input, ...]:
    """Return inputs as a file may get them: where it resizes, of another size than it computes."""
    if not network.resizes:
        return network.inputs
    batch, height, width, channels = network.inputs[0].shape
    # Neither side is a multiple of the input's, and they are of another ratio.
    return (Input((batch, height + height // 3 + 1, 2 * width + 1, channels), "uint8"),)
