"""From a module in float32, and inputs to calibrate with, to a program in integers."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import fx
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

from tvmlcnn.frontend.arguments import placed_and_named
from tvmlcnn.frontend.torch_export import exported_program

from .calibration import Calibration, Example
from .float_graph import float_graph
from .quantizer import KernelQuantizer
from .specs import ACTIVATION, WEIGHT


@dataclass(frozen=True)
class Quantized:
    """A network in integers.

    Attributes
    ----------
    program : torch.export.ExportedProgram
        Its integers are between ``quantized_decomposed.quantize_per_tensor``,
        ``dequantize_per_tensor`` and, for weights, ``dequantize_per_channel``; what computes on
        them are float32 operators, which torch can run: the reference for integer kernels.
    """

    program: torch.export.ExportedProgram


def quantized(
    module: torch.nn.Module,
    calibration: Calibration,
    keywords: Sequence[str] = (),
) -> Quantized:
    """Quantize a network by what it computes for inputs that are like those it will be given."""
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # torchao's own deprecations
        first = _placed(calibration.observed[0], keywords)
        prepared = prepare_pt2e(float_graph(module, *first), KernelQuantizer(ACTIVATION, WEIGHT))
        for example in calibration.observed:
            _run(prepared, example, keywords)
        converted = convert_pt2e(prepared)
        program = exported_program(converted, *first)
    _name_after_layers(program.graph)
    return Quantized(program)


def _placed(
    example: Example, keywords: Sequence[str]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    return placed_and_named([torch.from_numpy(array.copy()) for array in example], keywords)


def _run(model: torch.nn.Module, example: Example, keywords: Sequence[str]) -> object:
    placed, named = _placed(example, keywords)
    return model(*placed, **named)


def _name_after_layers(graph: fx.Graph) -> None:
    """Have what quantizes and dequantizes a value be of the layer that makes or takes it."""
    for node in graph.nodes:
        if "dequantize" in str(node.target):
            layer = next(iter(node.users), None)
        elif "quantize" in str(node.target):
            layer = node.args[0]
        else:
            continue
        if layer is not None and "nn_module_stack" in layer.meta:
            node.meta["nn_module_stack"] = layer.meta["nn_module_stack"]
