"""From a torch module to a graph in Relax, and what torch itself computes."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import tvm
from PIL import Image
from torch.utils import _pytree as pytree

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.manifest import TensorSpec
from tvmlcnn.runtime.preprocessing import Preprocessing, normalize

from .layers import import_with_layers
from .source import Shape


@dataclass(frozen=True)
class Graph:
    """A network in Relax.

    Attributes
    ----------
    mod : tvm.IRModule
        ``main`` takes the inputs and returns a tuple of the outputs; weights are constants.
    inputs, outputs : tuple of TensorSpec
    """

    mod: tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]


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
    return [output.numpy() for output in outputs]


def import_graph(module: torch.nn.Module, inputs: Sequence[np.ndarray]) -> Graph:
    """Export the module with torch and import it into Relax.

    Raises
    ------
    UserError
        If torch cannot export the module, or TVM has no import for one of its operators.
    """
    tensors = tuple(torch.from_numpy(array) for array in inputs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        try:
            with torch.no_grad():
                program = torch.export.export(module, tensors)
        except Exception as error:  # torch raises many types here
            raise UserError(f"torch.export cannot export the model: {_reason(error)}") from error
        try:
            mod = import_with_layers(program)
        except (AssertionError, NotImplementedError, ValueError, KeyError) as error:
            raise UserError(f"TVM cannot import the model: {_reason(error)}") from error
    main = mod["main"]
    return Graph(
        mod,
        tuple(_spec(str(param.name), param.ty) for param in main.params),
        tuple(
            _spec("output" if len(main.ret_ty.fields) == 1 else f"output{index}", field)
            for index, field in enumerate(main.ret_ty.fields)
        ),
    )


def _spec(name: str, ty: tvm.relax.TensorType) -> TensorSpec:
    return TensorSpec(name, tuple(int(size) for size in ty.shape), str(ty.dtype))


def _reason(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__
