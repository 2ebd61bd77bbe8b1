"""torch on a GPU: eagerly on cuDNN, compiled, and both of them captured as a CUDA graph.

A call takes a float32 array of the host and returns one, as tvmlcnn's does: it copies through
pinned memory, converts on the GPU, and waits once.
"""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.fx.experimental.optimization import fuse

from .gpu_job import GpuJob

Call = Callable[[np.ndarray], np.ndarray]
_WARM_UPS = 3  # before a capture: cuDNN and Triton choose their kernels meanwhile


def prepared(job: GpuJob, device: torch.device) -> nn.Module:
    """Return the module there: channels last, in its type, batch norm folded where it can be."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    try:
        module = fuse(job.module)
    except Exception:  # whatever a network does that cannot be traced
        module = copy.deepcopy(job.module)
    module = module.to(device, getattr(torch, job.dtype))
    return module.to(memory_format=torch.channels_last) if job.input.ndim == 4 else module  # type: ignore[call-overload]


def compiled(module: nn.Module) -> nn.Module:
    """Return it compiled by inductor, which tries Triton's and the libraries' kernels."""
    # Its own graphs copy inputs once more; a graph is captured of it here as of the other.
    return torch.compile(module, mode="max-autotune-no-cudagraphs")  # type: ignore[return-value]


def eager_call(job: GpuJob, module: nn.Module, device: torch.device) -> Call:
    """Return a call that launches kernel by kernel."""
    host = _pinned(job.input, device)
    result = _pinned(job.expected, device)

    def call(image: np.ndarray) -> np.ndarray:
        host.copy_(torch.from_numpy(image))
        with torch.inference_mode():
            _enqueue(module, host, result, job, device)
        _wait(device)
        return result.numpy().copy()

    return call


def graph_call(job: GpuJob, module: nn.Module, device: torch.device) -> Call:
    """Return a call that replays a graph of all that `eager_call` enqueues."""
    host, result = _pinned(job.input, device), _pinned(job.expected, device)
    graph = torch.cuda.CUDAGraph()
    aside = torch.cuda.Stream()
    with torch.inference_mode():
        with torch.cuda.stream(aside):
            for _ in range(_WARM_UPS):
                _enqueue(module, host, result, job, device)
        torch.cuda.synchronize()
        with torch.cuda.graph(graph):
            _enqueue(module, host, result, job, device)

    def call(image: np.ndarray, weights: nn.Module = module) -> np.ndarray:
        """Replay the graph, which knows where the weights lie, but does not keep them there."""
        host.copy_(torch.from_numpy(image))
        graph.replay()
        torch.cuda.synchronize()
        return result.numpy().copy()

    return call


def _enqueue(
    module: nn.Module, host: torch.Tensor, result: torch.Tensor, job: GpuJob, device: torch.device
) -> None:
    there = host.to(device, non_blocking=True).to(getattr(torch, job.dtype))
    if there.ndim == 4:
        there = there.contiguous(memory_format=torch.channels_last)
    result.copy_(module(there).float(), non_blocking=True)


def _pinned(array: np.ndarray, device: torch.device) -> torch.Tensor:
    return torch.empty(array.shape, pin_memory=device.type == "cuda")


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
