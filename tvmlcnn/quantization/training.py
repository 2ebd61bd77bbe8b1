"""Training a network for its integers: with what rounding does, before weights are converted."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Sequence

import torch
from torch import fx
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_qat_pt2e

from tvmlcnn.frontend.arguments import placed_and_named
from tvmlcnn.frontend.torch_export import exported_program

from .mutation import replace_in_place
from .names import name_after_layers
from .quantizer import KernelQuantizer
from .specs import TRAINED_ACTIVATION, TRAINED_WEIGHT


def prepared_for_training(
    module: torch.nn.Module, inputs: Sequence[torch.Tensor], keywords: Sequence[str] = ()
) -> fx.GraphModule:
    """Return a network that rounds as integers would, to be trained for an epoch or a few.

    Parameters
    ----------
    module : torch.nn.Module
        Trained in float32; it is left as it is.
    inputs : sequence of torch.Tensor
        A batch as those that it will be trained with.
    keywords : sequence of str
        The names of the last inputs, where ``forward`` takes them by name.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # torchao's own deprecations
        own = copy.deepcopy(module).train()
        graph = exported_program(own, *placed_and_named(inputs, keywords)).module()
        assert isinstance(graph, fx.GraphModule)
        replace_in_place(graph)
        return prepare_qat_pt2e(graph, KernelQuantizer(TRAINED_ACTIVATION, TRAINED_WEIGHT))


def after_training(
    prepared: fx.GraphModule, inputs: Sequence[torch.Tensor], keywords: Sequence[str] = ()
) -> torch.export.ExportedProgram:
    """Return the program in integers of a network that was trained for them.

    Parameters
    ----------
    prepared : torch.fx.GraphModule
        What `prepared_for_training` returned.
    inputs : sequence of torch.Tensor
        Of the shapes that the program is to take.
    keywords : sequence of str
    """
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")
        converted = convert_pt2e(move_exported_model_to_eval(copy.deepcopy(prepared)))
        program = exported_program(converted, *placed_and_named(inputs, keywords))
    name_after_layers(program.graph)
    return program
