"""What all frameworks are given on a GPU: a network, an input, and torch's output on the CPU."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from tvmlcnn import frontend
from tvmlcnn.analysis import analyze
from tvmlcnn.errors import UserError

DTYPES = ("float32", "float16")
BATCHES = (1, 8)


@dataclass(frozen=True)
class GpuJob:
    """One network to run on a GPU, and how.

    Attributes
    ----------
    model : str
        What the user gave.
    module : torch.nn.Module
        On the CPU, in evaluation mode, in float32.
    input, expected : numpy.ndarray
        Float32, the input of the batch, and torch's output on the CPU.
    macs : int
        Multiply-adds of the batch.
    dtype : str
        Of `DTYPES`: what is to be computed in; inputs and outputs are float32.
    """

    model: str
    module: torch.nn.Module
    input: np.ndarray
    expected: np.ndarray
    macs: int
    dtype: str


def read(model: str, batch: int, dtype: str) -> GpuJob:
    """Build the network that ``model`` stands for, with the same random weights each time.

    Raises
    ------
    UserError
        If there is no such network, or it has not one input and one output.
    """
    torch.manual_seed(0)
    network = frontend.resolve(model)
    if len(network.input_shapes) != 1:
        raise UserError(f"{model} has {len(network.input_shapes)} inputs; one can be compared")
    (_, *shape), *_ = network.input_shapes
    inputs = frontend.random_inputs([(batch, *shape)])
    expected = frontend.reference(network.module, inputs)
    if len(expected) != 1:
        raise UserError(f"{model} has {len(expected)} outputs; one can be compared")
    macs = batch * analyze(model).total.macs
    return GpuJob(model, network.module.eval(), inputs[0], expected[0], macs, dtype)
