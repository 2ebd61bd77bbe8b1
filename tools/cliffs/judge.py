"""What a compiled network is judged by: its results, its kernels against the roofline, a peer."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch

import tvmlcnn
from tools.peers.frameworks.onnxruntime import load as load_peer
from tools.peers.job import Job
from tools.peers.measure import interleave
from tvmlcnn.errors import first_line
from tvmlcnn.runtime.model import Model
from tvmlcnn.runtime.profile import KernelTime, profile

from .networks import RandomNetwork

# A kernel is a cliff under this part of its roofline, if it takes this part of the network's time.
ROOFLINE, SHARE = 0.25, 0.05
_LEAST_US = 5.0  # a kernel below is mostly its call


@dataclass(frozen=True)
class Verdict:
    """What was found of a network.

    Attributes
    ----------
    network : RandomNetwork
    failure : str or None
        Why it has no result: what `tvmlcnn.compile` raised.
    error : float
        The largest difference from torch, over the output's range.
    cliffs : tuple of KernelTime
        Kernels that are slow and matter.
    ratio : float or None
        The peer's time over ours, the least of each; None where it was not timed.
    """

    network: RandomNetwork
    failure: str | None = None
    error: float = 0.0
    cliffs: tuple[KernelTime, ...] = ()
    ratio: float | None = None

    @property
    def is_bad(self) -> bool:
        """Whether there is something to mend."""
        slower = self.ratio is not None and self.ratio < 1
        return self.failure is not None or bool(self.cliffs) or slower


def judge(network: RandomNetwork, target: str, seconds: float) -> Verdict:
    """Compile a network, compare it with torch, and, for ``seconds`` each, profile and time it.

    Parameters
    ----------
    network : RandomNetwork
    target : str
        One that this machine runs.
    seconds : float
        0 only compiles and compares.
    """
    with tempfile.TemporaryDirectory(prefix="cliffs-") as name:
        folder = Path(name)
        try:
            report = tvmlcnn.compile(
                network.module, target, network.shape, output=folder / "net.so", threads=1
            )
        except Exception as error:  # a finding, whatever it is
            return Verdict(network, first_line(error))
        error = float(report.check.get("max_error", float("nan")))
        if not seconds:
            return Verdict(network, None, error)
        model = tvmlcnn.load(report.path, threads=1)
        return Verdict(
            network, None, error, _cliffs(model, seconds), _ratio(network, model, folder, seconds)
        )


def _cliffs(model: Model, seconds: float) -> tuple[KernelTime, ...]:
    return tuple(
        kernel
        for kernel in profile(model, seconds).kernels
        if kernel.roofline < ROOFLINE and kernel.share > SHARE and kernel.us > _LEAST_US
    )


def _ratio(network: RandomNetwork, model: Model, folder: Path, seconds: float) -> float | None:
    """Return how many times as fast as ONNX Runtime the model is; None where that cannot run it."""
    image = np.random.default_rng(0).standard_normal(network.shape, dtype=np.float32)
    with torch.no_grad():
        expected = network.module(torch.from_numpy(image)).numpy()
    job = Job(network.name, network.name, network.module, image, expected, "", 1)
    own = folder / "onnxruntime"
    own.mkdir()
    try:
        peer = load_peer(job, own)
        peer(image)
    except Exception:  # the exporter or the peer does not take it
        return None
    calls: dict[str, Callable[[], object]] = {
        "ours": partial(model, image),
        "peer": partial(peer, image),
    }
    times = interleave(calls, seconds)
    return min(times["peer"]) / min(times["ours"])
