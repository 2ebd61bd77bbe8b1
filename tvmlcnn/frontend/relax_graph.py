"""From a torch module to a graph in Relax."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import tvm

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.manifest import TensorSpec

from .layer_naming import import_with_layers


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
