"""What all frameworks are given: one network, its weights, its input, and what torch computes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from tvmlcnn import frontend
from tvmlcnn.errors import UserError


@dataclass(frozen=True)
class Job:
    """One network to run, and how.

    Attributes
    ----------
    name, source : str
        Short name, and what the user gave.
    module : torch.nn.Module
        In evaluation mode.
    input, expected : numpy.ndarray
        A float32 input of batch 1 and torch's output for it.
    target : str
        What the network is compiled for.
    threads : int
        Threads that every framework uses.
    """

    name: str
    source: str
    module: torch.nn.Module
    input: np.ndarray
    expected: np.ndarray
    target: str
    threads: int

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the network's structure, weights or input."""
        digest = hashlib.sha256(repr(self.module).encode())
        for array in (self.input, self.expected):
            digest.update(repr(array.shape).encode() + array.tobytes())
        return digest.hexdigest()[:12]


def read(model: str, target: str, threads: int) -> Job:
    """Build the network that ``model`` stands for; another process builds the same weights.

    Raises
    ------
    UserError
        If there is no such network, or it has not one input of batch 1 and one output.
    """
    torch.manual_seed(0)
    network = frontend.resolve(model)
    inputs = frontend.random_inputs(network.inputs)
    outputs = frontend.reference(network.module, inputs)
    if len(inputs) != 1 or len(outputs) != 1 or inputs[0].shape[0] != 1:
        raise UserError(f"{model}: only networks of one input, of batch 1, and one output fit here")
    return Job(network.name, model, network.module, inputs[0], outputs[0].copy(), target, threads)
