"""Kernels of a GPU that compute or move each element on its own."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
import torch
from gpu_kernels import CUDA, GPUS, check, cuda_of, needs_runner
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import compiled
from torch import nn

from tvmlcnn.package.variants import together
from tvmlcnn.schedules import kernels_by_rule

few = settings(max_examples=8, deadline=None, derandomize=True)


class Of(nn.Module):
    """A function as a network."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(x)


@needs_runner
@few
@given(
    shape=st.lists(st.sampled_from([1, 2, 3, 5, 8, 12]), min_size=1, max_size=4),
    gelu=st.booleans(),
)
def test_shapes(shape: list[int], gelu: bool) -> None:
    net = Of((lambda x: nn.functional.gelu(x) + x) if gelu else (lambda x: torch.exp(x) * x))
    check(net, tuple(shape), "elementwise")


@needs_runner
@few
@given(
    channels=st.sampled_from([5, 8, 31, 32, 40, 64, 70]),
    rows=st.sampled_from([1, 3, 9]),
    columns=st.sampled_from([2, 8, 31, 32, 50]),
    back=st.booleans(),
)
def test_turned_maps(channels: int, rows: int, columns: int, back: bool) -> None:
    order = (0, 3, 1, 2) if back else (0, 2, 3, 1)
    check(Of(lambda x: x.permute(order) * 1.5), (2, channels, rows, columns), "elementwise")


FUNCTIONS: dict[str, tuple[Callable[[torch.Tensor], torch.Tensor], tuple[int, ...]]] = {
    "broadcast": (lambda x: x * x[:, :1] + 1, (1, 8, 5, 12)),
    "concatenation": (lambda x: torch.cat([x[:, :, :3], x.exp(), x[:, :, 2:5]], 2), (1, 8, 12)),
    "shuffled pixels": (lambda x: nn.functional.pixel_shuffle(x, 2), (1, 16, 10, 10)),
    "padding": (lambda x: nn.functional.pad(x.tanh(), (1, 2, 3, 1)), (1, 4, 9, 9)),
    "taken": (lambda x: x[:, torch.tensor([3, 1, 2, 0])], (2, 24)),
    "every second": (lambda x: x[:, ::2] + x[:, 1::2], (3, 8)),
    "integers": (lambda x: (x * 10).long(), (3, 8)),
    "bytes": (lambda x: (x * 10).to(torch.int8), (3, 8)),
    "turned integers": (lambda x: (x * 10).long().transpose(1, 2).contiguous(), (1, 40, 48)),
    "chosen": (lambda x: torch.where(x > 0, x, x.floor()) / 3, (1, 8, 16)),
    "one": (lambda x: x[0, 0] * 2, (3, 3)),
}


@needs_runner
@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions(name: str) -> None:
    function, shape = FUNCTIONS[name]
    check(Of(function), shape, "elementwise")


@pytest.mark.parametrize(("size", "vectors"), [(56, 8), (3, 1)])
def test_a_thread_has_several_vectors_where_there_are_many(size: int, vectors: int) -> None:
    source = cuda_of(Of(lambda x: x * x), (1, 64, size, size, 4), GPUS["jetson-orin-nano"])
    assert len(re.findall(r"\*\(float4\*\)\(\w+_ptr \+ .* = ", source)) == 2 * vectors


@needs_runner
@pytest.mark.parametrize("shape", [(1, 64, 28, 28), (2, 28, 5, 48), (1, 1, 1, 30000)])
def test_several_vectors_of_a_thread(shape: tuple[int, ...]) -> None:
    """A scale of each channel, and what lies along one axis alone."""
    net = Of(lambda x: x * x[:, :, :1, :1].tanh() + x)
    check(net, shape, "elementwise", device=GPUS["jetson-orin-nano"])


@needs_runner
def test_truth_values() -> None:
    net = Of(lambda x: torch.logical_and(x > 0, x < 0.5).float())
    check(net, (3, 8), "elementwise")


def test_a_view_is_no_kernel() -> None:
    net = Of(lambda x: torch.softmax(x, 1).reshape(14, 18))
    (program,) = together([compiled(net, (12, 21), CUDA)]).programs
    assert [call.function for call in program.calls] == ["softmax"]


def test_what_sums_up_is_left_to_others() -> None:
    net = Of(lambda x: x.sum(1))
    assert "elementwise" not in kernels_by_rule(compiled(net, (4, 9), CUDA))


def test_what_is_reshaped_takes_no_room_of_a_thread() -> None:
    """Local response norm divides by means that lie in another shape."""
    net = nn.Sequential(nn.Conv2d(3, 96, 3), nn.ReLU(), nn.LocalResponseNorm(5))
    source = cuda_of(net, (1, 3, 33, 33), GPUS["jetson-orin-nano"])
    rooms = re.findall(r"^ *alignas\(64\) float \w+\[(\d+)\];", source, re.MULTILINE)
    assert rooms
    assert max(map(int, rooms)) <= 64
