"""From a module in float32, and inputs to calibrate with, to a program in integers."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import fx
from torch.utils import _pytree as pytree
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import QuantizationSpec

from tvmlcnn.frontend.arguments import placed_and_named
from tvmlcnn.frontend.torch_export import exported_program
from tvmlcnn.targets import BYTES, WeightBounds

from .bias_correction import channel_means, correct_biases
from .calibration import Calibration
from .calibration_checks import Example
from .fidelity import Fidelity, fidelity
from .float_graph import float_graph
from .frames import take_bytes
from .layers import Layer, matching, named
from .lockstep import Converted, Exact
from .names import name_after_layers
from .quantizer import KernelQuantizer
from .sensitivity import kept_by_error, ratios, unbounded
from .specs import ACTIVATION, WEIGHT, dense_weight
from .units import Units

_COMPARED = 8
"""Inputs for which layers are compared one by one; errors of layers differ by more than by them."""
_CORRECTED = 16
"""Inputs for which the means of channels are: all their values are in memory at once."""


@dataclass(frozen=True)
class Quantized:
    """A network in integers.

    Attributes
    ----------
    program : torch.export.ExportedProgram
        Its integers are between ``quantized_decomposed.quantize_per_tensor``,
        ``dequantize_per_tensor`` and, for weights, ``dequantize_per_channel``; what computes on
        them are float32 operators, which torch can run: the reference for integer kernels.
    fidelity : Fidelity
        On the inputs that were held out.
    kept : tuple of str
        Names of the layers that stay float32.
    notes : tuple of str
        What a user should know.
    """

    program: torch.export.ExportedProgram
    fidelity: Fidelity
    kept: tuple[str, ...]
    notes: tuple[str, ...]


def quantized(
    module: torch.nn.Module,
    calibration: Calibration,
    keywords: Sequence[str] = (),
    keep_float: Sequence[str] = (),
    bounds: WeightBounds = BYTES,
) -> Quantized:
    """Quantize a network by what it computes for inputs that are like those it will be given.

    Parameters
    ----------
    module : torch.nn.Module
        In evaluation mode; it is left as it is.
    calibration : Calibration
    keywords : sequence of str
        The names of the last inputs, where ``forward`` takes them by name.
    keep_float : sequence of str
        Glob patterns of names of layers that stay float32, as ``"classifier.*"``.
    bounds : WeightBounds
        Of dense layers; depthwise ones have the whole byte, which their kernels take.

    Raises
    ------
    UserError
        If a pattern fits no layer.
    """
    with warnings.catch_warnings(), torch.no_grad(), _one_thread():
        warnings.simplefilter("ignore")  # torchao's own deprecations
        first = _placed(calibration.observed[0], keywords)
        exact = float_graph(module, *first)
        asked = matching(named(exact.graph, Units(exact.graph).all), keep_float)
        graph = copy.deepcopy(exact)
        take_bytes(graph, {node.name for layer in asked for node in layer.unit.nodes})
        units = Units(graph.graph)
        by_name = matching(named(graph.graph, units.all), keep_float)
        observed = [_tensors(one) for one in calibration.observed]
        dense = dense_weight(bounds)
        prepared, converted, quantizer, by_range = _converted(graph, observed, by_name, dense)
        kept_float = [*by_name, *by_range]
        compared = observed[:_COMPARED]
        noted = Exact(prepared, [layer.unit.end.name for layer in quantizer.layers])
        own = ratios(noted, converted, quantizer.layers, compared)
        by_error = kept_by_error(noted, converted, quantizer, own, compared)
        if by_error:
            kept_float += by_error
            prepared, converted, quantizer, _ = _converted(graph, observed, kept_float, dense)
        means = _means(prepared, quantizer.layers, observed[:_CORRECTED])
        correct_biases(converted, means, observed[:_CORRECTED])
        program = exported_program(converted, *first)
        held_out = [_tensors(one) for one in calibration.held_out]
        ours, theirs = fx.Interpreter(exact), Converted(converted)
        measured = fidelity(
            [_arrays(ours.run(*one)) for one in held_out],
            [_arrays(theirs.run(*one)) for one in held_out],
            [(layer.name, own[layer.unit.end.name]) for layer in quantizer.layers],
        )
    name_after_layers(program.graph)
    kept = tuple(dict.fromkeys(layer.name for layer in kept_float))
    notes = [f"{layer.name} stays float32: its values have no finite range" for layer in by_range]
    notes += [f"{layer.name} stays float32: its error is too large in int8" for layer in by_error]
    if calibration.is_random:
        notes.append("calibrated with random numbers, which are not what the network will be given")
    return Quantized(program, measured, kept, tuple(notes))


@contextmanager
def _one_thread() -> Iterator[None]:
    """Have torch compute on the caller's thread alone.

    Most operators here are small, and torch's threads spin while they wait for each other: with
    two of them on two busy cores shufflenet_v2_x1_0 takes 274 s, with one 12.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)


def _converted(
    graph: fx.GraphModule,
    observed: Sequence[Sequence[torch.Tensor]],
    kept: Sequence[Layer],
    dense: QuantizationSpec,
) -> tuple[fx.GraphModule, fx.GraphModule, KernelQuantizer, list[Layer]]:
    """Return a network with observers, and in integers, and what annotated it.

    Last are layers that stay float32 beside those asked for, since what they take or give has no
    range.
    """
    more: list[Layer] = []
    while True:
        names = {node.name for layer in [*kept, *more] for node in layer.unit.nodes}
        quantizer = KernelQuantizer(ACTIVATION, WEIGHT, names, observed[:_CORRECTED], dense)
        prepared = prepare_pt2e(copy.deepcopy(graph), quantizer)
        observing = fx.Interpreter(prepared)
        for each in observed:
            observing.run(*each)
        found = unbounded(prepared, quantizer.layers)
        if not found:
            return prepared, convert_pt2e(copy.deepcopy(prepared)), quantizer, more
        more += found


def _means(
    prepared: fx.GraphModule, found: Sequence[Layer], inputs: Sequence[Sequence[torch.Tensor]]
) -> dict[str, torch.Tensor]:
    roots = {layer.unit.root.name: layer.unit.root for layer in found if layer.unit.is_weighted}
    exact = Exact(prepared, roots)
    sums: dict[str, torch.Tensor] = {}
    for each in inputs:
        exact.run(*each)
        for name, value in exact.values.items():
            sums[name] = sums.get(name, 0) + channel_means(roots[name], value) / len(inputs)
    return sums


def _tensors(example: Example) -> list[torch.Tensor]:
    return [torch.from_numpy(np.array(array)) for array in example]


def _placed(
    example: Example, keywords: Sequence[str]
) -> tuple[tuple[torch.Tensor, ...], dict[str, torch.Tensor]]:
    return placed_and_named(_tensors(example), keywords)


def _arrays(result: Any) -> list[np.ndarray]:
    leaves: Iterable[Any] = pytree.tree_leaves(result)
    return [leaf.numpy() for leaf in leaves if isinstance(leaf, torch.Tensor)]
