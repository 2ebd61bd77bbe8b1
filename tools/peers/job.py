"""What all frameworks are given: one network, its weights, its inputs, and what torch computes."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from tvmlcnn import frontend
from tvmlcnn.errors import UserError
from tvmlcnn.quantization import calibration
from tvmlcnn.quantization.calibration import RANDOM

DTYPES = ("float32", "bfloat16", "int8")


@dataclass(frozen=True)
class Job:
    """One network to run, and how.

    Attributes
    ----------
    name, source : str
        Short name, and what the user gave.
    module : torch.nn.Module
        In evaluation mode.
    inputs, expected : sequence of numpy.ndarray
        Float32 inputs of batch 1, and torch's output for each; the first input is timed with.
    target : str
        What the network is compiled for.
    threads : int
        Threads that every framework uses.
    dtype : str
        Of `DTYPES`, what the network is to be computed in; its inputs and outputs are float32.
    observed : sequence of numpy.ndarray
        What all are calibrated with for int8: others than ``inputs``.
    """

    name: str
    source: str
    module: torch.nn.Module
    inputs: tuple[np.ndarray, ...]
    expected: tuple[np.ndarray, ...]
    target: str
    threads: int
    dtype: str = "float32"
    observed: tuple[np.ndarray, ...] = ()

    @property
    def input(self) -> np.ndarray:
        """The input to time with."""
        return self.inputs[0]

    @cached_property
    def fingerprint(self) -> str:
        """Twelve hex digits that change with the network's structure, weights or inputs."""
        digest = hashlib.sha256(repr(self.module).encode())
        for array in (*self.observed, *self.inputs, *self.expected):
            digest.update(repr(array.shape).encode() + array.tobytes())
        return digest.hexdigest()[:12]


def read(model: str, target: str, threads: int, dtype: str = "float32") -> Job:
    """Build the network that ``model`` stands for; another process builds the same weights.

    Calibration data is the noise that ``calibration="random"`` stands for, and what is held out
    of it is what results are judged by.

    Raises
    ------
    UserError
        If there is no such network, or it has not one input of batch 1 and one output.
    """
    torch.manual_seed(0)
    network = frontend.resolve(model)
    one = frontend.random_inputs(network.inputs)
    outputs = frontend.reference(network.module, one)
    if len(one) != 1 or len(outputs) != 1 or one[0].shape[0] != 1:
        raise UserError(f"{model}: only networks of one input, of batch 1, and one output fit here")
    observed: tuple[np.ndarray, ...] = ()
    inputs: tuple[np.ndarray, ...] = (one[0],)
    if dtype == "int8":
        examples = calibration(RANDOM, network.inputs)
        observed = tuple(array for (array,) in examples.observed)
        inputs = tuple(array for (array,) in examples.held_out)
    expected = tuple(frontend.reference(network.module, [each])[0].copy() for each in inputs)
    return Job(
        network.name, model, network.module, inputs, expected, target, threads, dtype, observed
    )
