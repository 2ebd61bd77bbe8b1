"""Products of few rows on a GPU against torch, and what makes their kernels fast."""

from __future__ import annotations

import pytest
import torch
from gpu_kernels import GPUS, check, needs_nvcc, needs_runner, usage
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

few = settings(max_examples=5, deadline=None, derandomize=True)


@needs_runner
@few
@given(
    rows=st.integers(1, 3),
    inner=st.one_of(st.integers(2, 64), st.sampled_from([66, 194, 960])),
    outer=st.one_of(st.integers(1, 40), st.just(129)),
    target=st.sampled_from(["cuda", "jetson-orin-nano"]),
)
def test_shapes(rows: int, inner: int, outer: int, target: str) -> None:
    net = nn.Sequential(nn.Linear(inner, outer), nn.Hardswish())
    check(net, (rows, inner), "row_product", device=GPUS[target])


class Scaled(nn.Module):
    """Squeeze and excitation: of whole maps to their channels, by two products of one row."""

    def __init__(self, width: int, squeezed: int) -> None:
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(width, squeezed, 1), nn.Conv2d(squeezed, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        mean = x.mean((2, 3), keepdim=True)
        return x * nn.functional.hardsigmoid(self.excite(torch.relu(self.squeeze(mean))))


@needs_runner
@few
@given(width=st.integers(4, 64), squeezed=st.integers(4, 20), batch=st.integers(1, 3))
def test_squeeze_and_excitation(width: int, squeezed: int, batch: int) -> None:
    check(Scaled(width, squeezed), (batch, width, 7, 5), "row_product", 2)


@needs_runner
@pytest.mark.parametrize("inner", [1, 97])
def test_what_cannot_be_shared_is_left_to_others(inner: int) -> None:
    """One step, or a prime number of them that is more than a block has shares."""
    check(nn.Linear(inner, 24), (1, inner), "row_product", 0)
    check(nn.Linear(inner, 24), (1, inner), "implicit_gemm")


@needs_runner
def test_more_rows_are_left_to_others() -> None:
    """From there on rows share the weights that a block has read."""
    check(nn.Linear(32, 24), (4, 32), "row_product", 0)
    check(nn.Linear(32, 24), (4, 32), "implicit_gemm")


@needs_nvcc
@pytest.mark.parametrize("target", ["cuda", "jetson-orin-nano", "h100"])
@pytest.mark.parametrize("shape", [(1280, 1000), (16, 64), (97, 10)])
def test_registers(shape: tuple[int, int], target: str) -> None:
    gpu = GPUS[target]
    for kernel in usage(nn.Linear(*shape), (1, shape[0]), gpu).values():
        assert kernel.spilled == 0
        assert 2 * kernel.registers * kernel.threads <= gpu.registers
        assert 2 * kernel.shared <= gpu.shared_of_multiprocessor
