"""From what a user names to an exported program; the network is never run."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from contextlib import nullcontext

import torch

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Network, resolve
from tvmlcnn.models import entries


def export(
    model: str | torch.nn.Module, input_shapes: Sequence[tuple[int, ...]] | None = None
) -> tuple[Network, torch.export.ExportedProgram]:
    """Return the network that ``model`` stands for, and its exported program.

    Parameters
    ----------
    model : str or torch.nn.Module
        What ``tvmlcnn.compile`` takes.
    input_shapes : sequence of tuple of int, optional
        One for each input; by default the zoo's or the exported program's, else 1x3x224x224.

    Raises
    ------
    UserError
        If there is no such model, or torch cannot export it for inputs of these shapes.
    """
    for shape in input_shapes or ():
        if not shape or min(shape) < 1:
            raise UserError(f"the input shape {_size(shape)} has a size that is no positive number")
    # The zoo's weights need no memory where nothing is computed.
    zoo = isinstance(model, str) and model.partition("?")[0] in entries()
    with torch.device("meta") if zoo else nullcontext():
        network = resolve(model, input_shapes)
    weight = next(network.module.parameters(), None)
    inputs = tuple(
        torch.empty(shape, device=None if weight is None else weight.device)
        for shape in network.input_shapes
    )
    try:
        with warnings.catch_warnings(), torch.no_grad(), network.running():
            warnings.simplefilter("ignore")  # torch's own deprecations
            return network, torch.export.export(network.module, inputs)
    except Exception as error:  # whatever the user's code or torch raises
        reason = next((line for line in str(error).splitlines() if line.strip()), "")
        shapes = ", ".join(map(_size, network.input_shapes))
        raise UserError(
            f"torch.export cannot export the model for an input of shape {shapes}: "
            f"{reason.strip() or type(error).__name__}; give another shape",
            parameters=("input_shape",),
        ) from error


def _size(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape))
