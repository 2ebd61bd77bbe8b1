"""From a torch module to a graph in Relax."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import tvm

from tvmlcnn.runtime.manifest import TensorSpec

from .arguments import placed_and_named
from .float_codes import float_codes
from .importing import import_program
from .refusals import export_refusal
from .torch_export import exported_program


@dataclass(frozen=True)
class Graph:
    """A network in Relax.

    Attributes
    ----------
    mod : tvm.IRModule
        ``main`` takes the inputs and returns a tuple of the outputs; weights are constants.
    inputs, outputs : tuple of TensorSpec
    in_collection : bool
        Whether the network returns its outputs in a collection; else there is one.
    notes : tuple of str
        What the user is to know of it.
    """

    mod: tvm.IRModule
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    in_collection: bool
    notes: tuple[str, ...]


def import_graph(
    module: torch.nn.Module, inputs: Sequence[np.ndarray], keywords: Sequence[str] = ()
) -> Graph:
    """Export the module with torch and import it into Relax.

    Parameters
    ----------
    module : torch.nn.Module
    inputs : sequence of numpy.ndarray
    keywords : sequence of str
        The names of the last inputs, where ``forward`` takes them by name.

    Raises
    ------
    UserError
        If torch cannot export the module, or one of its operators cannot be compiled.
    """
    tensors = [torch.from_numpy(array.copy()) for array in inputs]
    try:
        program = exported_program(module, *placed_and_named(tensors, keywords))
    except Exception as error:  # torch raises many types here
        raise export_refusal(error) from error
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torch's own deprecations
        mod, signature = import_program(program)
    main = mod["main"]
    names = [name for name, _ in signature.outputs]
    return Graph(
        mod,
        tuple(_spec(str(param.name), param.ty) for param in main.params),
        tuple(map(_spec, names, main.ret_ty.fields)),
        signature.in_collection,
        float_codes(program),
    )


def _spec(name: str, ty: tvm.relax.TensorType) -> TensorSpec:
    return TensorSpec(name, tuple(int(size) for size in ty.shape), str(ty.dtype))
