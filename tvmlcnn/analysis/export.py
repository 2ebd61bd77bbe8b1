"""From what a user names to an exported program; the network is never run."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

import torch

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import Network, resolve
from tvmlcnn.frontend.arguments import placed_and_named
from tvmlcnn.frontend.failed_runs import run_refusal
from tvmlcnn.frontend.refusals import export_refusal
from tvmlcnn.frontend.torch_export import exported_program
from tvmlcnn.models import entries


def export(
    model: str | torch.nn.Module, input_shapes: Any = None, trust: bool = False
) -> tuple[Network, torch.export.ExportedProgram]:
    """Return the network that ``model`` stands for, and its exported program.

    Parameters
    ----------
    model : str or torch.nn.Module
        What ``tvmlcnn.compile`` takes.
    input_shapes : optional
        As `tvmlcnn.compile` takes it, of which the smallest sizes are analysed.
    trust : bool
        As `tvmlcnn.compile` takes it.

    Raises
    ------
    UserError
        If there is no such model, or torch cannot export it for inputs of these shapes.
    """
    # The zoo's weights need no memory where nothing is computed.
    zoo = isinstance(model, str) and model.partition("?")[0] in entries()
    with torch.device("meta") if zoo else nullcontext():
        network = resolve(model, input_shapes, trust)
    weight = next(network.module.parameters(), None)
    inputs = [
        torch.empty(
            one.shape,
            dtype=getattr(torch, one.dtype),
            device=None if weight is None else weight.device,
        )
        for one in network.inputs
    ]
    try:
        with network.running():
            given = placed_and_named(inputs, network.keywords)
            return network, exported_program(network.module, *given)
    except UserError:
        raise
    except Exception as error:  # whatever the user's code or torch raises
        if "data-dependent" in str(error):  # only exporting asks for what depends on values
            raise export_refusal(error) from error
        raise run_refusal(error, network.input_shapes) from error
