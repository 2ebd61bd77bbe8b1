"""Inputs to try a network on, and what torch computes for them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch.utils import _pytree as pytree

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.preprocessing import Preprocessing, normalize

from .source import Shape


def random_inputs(shapes: Sequence[Shape], seed: int = 0) -> list[np.ndarray]:
    """Return normally distributed float32 arrays of the shapes."""
    generator = np.random.default_rng(seed)
    return [generator.standard_normal(shape, dtype=np.float32) for shape in shapes]


def image_input(shape: Shape, preprocessing: Preprocessing | None) -> np.ndarray:
    """Return a smooth random picture of shape (1, 3, height, width), normalized as a photo is."""
    how = preprocessing or Preprocessing()
    coarse = np.random.default_rng(1).uniform(0, 255, (8, 8, 3)).astype(np.uint8)
    picture = Image.fromarray(coarse).resize((shape[3], shape[2]), Image.Resampling.BICUBIC)
    return normalize(picture, how)


def reference(module: torch.nn.Module, inputs: Sequence[np.ndarray]) -> list[np.ndarray]:
    """Return what torch computes, outputs flattened in order.

    Raises
    ------
    UserError
        If the module cannot take inputs of these shapes.
    """
    try:
        with torch.inference_mode():
            result = module(*(torch.from_numpy(array) for array in inputs))
    except Exception as error:  # whatever the user's code or torch raises
        shapes = ", ".join("x".join(map(str, array.shape)) for array in inputs)
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        raise UserError(
            f"the model cannot take an input of shape {shapes}: {reason}; give another shape",
            parameters=("input_shape",),
        ) from error
    outputs = pytree.tree_leaves(result)
    if not outputs or not all(isinstance(output, torch.Tensor) for output in outputs):
        raise UserError(f"the model returns {type(result).__name__}; only tensors can be compiled")
    return [output.detach().numpy() for output in outputs]
