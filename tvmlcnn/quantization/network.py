"""From a network, as users name it, to one in integers."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Network, fitted_frames
from tvmlcnn.targets import BYTES, WeightBounds

from .calibration import calibration
from .fidelity import Fidelity
from .quantize import quantized


@dataclass(frozen=True)
class Quantization:
    """How a network was quantized.

    Attributes
    ----------
    dtype : str
    calibration : str
        Where the inputs to calibrate with came from.
    random : bool
        Whether they were noise.
    examples : int
        How many were observed; those that were held out are in ``fidelity``.
    largest_weight : int
        As large as weights of dense layers are.
    kept : tuple of str
        Names of the layers that stay float32.
    fidelity : Fidelity
    """

    dtype: str
    calibration: str
    random: bool
    examples: int
    largest_weight: int
    kept: tuple[str, ...]
    fidelity: Fidelity


def quantized_network(
    network: Network, given: Any, keep_float: str | Sequence[str], bounds: WeightBounds = BYTES
) -> tuple[Network, Quantization]:
    """Return a network in int8, with a note for each thing that a user should know, and how.

    Parameters
    ----------
    network : Network
    given
        What `calibration` takes.
    keep_float : str or sequence of str
        Glob patterns of names of layers that stay float32.
    bounds : WeightBounds
        Of weights of dense layers.

    Raises
    ------
    UserError
        If the calibration data cannot be used, or a pattern fits no layer, or the network is to
        take several sizes.
    """
    if len(network.variants) > 1:
        raise UserError(
            "an int8 file takes one shape of each input: each size would have its own ranges",
            parameters=("input_shape",),
        )
    data = calibration(
        given,
        network.inputs,
        network.preprocessing,
        _names(network),
        network.takes_frames,
        lambda array: fitted_frames(network, array),
    )
    patterns = [keep_float] if isinstance(keep_float, str) else list(keep_float)
    with network.running():
        result = quantized(network.module, data, network.keywords, patterns, bounds)
    how = Quantization(
        "int8",
        data.source,
        data.is_random,
        len(data.observed),
        bounds.largest,
        result.kept,
        result.fidelity,
    )
    return replace(network, module=result.program.module(), notes=result.notes), how


def _names(network: Network) -> list[str]:
    """Return the names of a network's inputs, as ``forward`` calls them."""
    plain = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    taken = inspect.signature(network.module.forward).parameters.values()
    names = [parameter.name for parameter in taken if parameter.kind in plain]
    places = len(network.inputs) - len(network.keywords)
    return [*names[:places], *network.keywords]
