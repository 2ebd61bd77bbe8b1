"""Winograd's filtering on GPUs against torch; PoCL runs the kernels."""

from __future__ import annotations

from itertools import islice

import pytest
import torch
from conftest import randomized
from gpu_kernels import CUDA, GPUS, cuda_of, needs_nvcc, needs_runner, usage
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from layers_of_each_kind import AROUND, conv, kernel
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.schedules import RULES, Convolution, kernels_by_rule, planned
from tvmlcnn.schedules.cuda import winograd
from tvmlcnn.schedules.cuda.winograd_tiles import tiles_of
from tvmlcnn.schedules.decisions import DEFAULTS, plain
from tvmlcnn.targets import FLOAT16
from tvmlcnn.tuning.kernels import RULE, Fixed

ORIN = GPUS["jetson-orin-nano"]
few = settings(max_examples=8, deadline=None, derandomize=True)


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have it pay for maps as small as those of tests."""
    monkeypatch.setattr(winograd, "_MARGIN", 0.0)


@needs_runner
@pytest.mark.usefixtures("always")
@settings(few, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batch=st.integers(1, 3),
    inner=st.sampled_from([8, 16, 36, 64]),
    outer=st.sampled_from([16, 29, 32, 96]),
    padding=st.integers(0, 1),
    rows=st.integers(5, 15),
    columns=st.integers(5, 15),
    asynchronous=st.booleans(),
)
def test_shapes(
    batch: int, inner: int, outer: int, padding: int, rows: int, columns: int, asynchronous: bool
) -> None:
    net = nn.Sequential(nn.Conv2d(inner, outer, 3, padding=padding), nn.Hardswish())
    device = ORIN if asynchronous else CUDA
    error, kernels = relative_error(randomized(net), (batch, inner, rows, columns), device)
    assert error < 1e-5
    assert kernels["winograd"] == 1


class Block(nn.Module):
    """A residual, a prologue that is not zero around the map, and channels that lie apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(32, 32, 3, padding=1), nn.Conv2d(32, 32, 3, padding=1)
        self.norm, self.last = nn.BatchNorm2d(96), nn.Conv2d(96, 32, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x + self.second(self.first(x).relu())
        return self.last(self.norm(torch.cat([x, y, self.first(y)], 1)).relu())


@needs_runner
@pytest.mark.usefixtures("always")
@pytest.mark.parametrize("name", ["jetson-nano", "jetson-orin-nano", "h100"])
def test_what_is_around_the_sums(name: str) -> None:
    error, _ = relative_error(randomized(Block()), (1, 32, 13, 10), GPUS[name])
    assert error < 1e-5


@needs_nvcc
@pytest.mark.parametrize(("inner", "outer", "size"), [(64, 64, 56), (48, 192, 13), (16, 64, 55)])
def test_all_is_in_registers(inner: int, outer: int, size: int) -> None:
    net, shape = nn.Conv2d(inner, outer, 3, padding=1).eval(), (1, inner, size, size)
    assert "winograd" in kernels_by_rule(compiled(net, shape, ORIN))
    for name, used in usage(net, shape, ORIN).items():
        assert used.spilled == 0, name
        assert used.shared <= ORIN.shared_bytes


def test_sums_wait_for_all_threads_where_factors_have_been() -> None:
    """They meet in shared memory that holds weights until the last chunk is multiplied."""
    source = cuda_of(nn.Conv2d(64, 64, 3, padding=1).eval(), (1, 64, 56, 56), ORIN)
    body = next(part for part in source.split("extern ") if "(product_shared_local" in part)
    lines = [line.strip() for line in body.splitlines()]
    stores = [n for n, line in enumerate(lines) if "= *(float4*)(product_shared_local" in line]
    assert not lines[stores[0]].startswith("product_shared"), "memory is used twice"
    assert lines[stores[0] - 1] == lines[stores[-1] + 1] == "__syncthreads();"


def test_a_chunk_waits_for_the_one_before_and_no_longer() -> None:
    """Its weights were asked for, and its map was loaded, before that one was multiplied."""
    source = cuda_of(nn.Conv2d(64, 64, 3, padding=1).eval(), (1, 64, 56, 56), ORIN)
    body = next(part for part in source.split("extern ") if "(product_shared_local" in part)
    loop = body[body.index("for (") :]
    steps = [
        "async_wait_group_0();",
        "__syncthreads();",
        "panel_shared",
        "tvmlcnn_copy_16(",
        "patch_local",
        "async_commit_group();",
        "__syncthreads();",
        "product_shared_local",
    ]
    places = [0]
    for step in steps:
        places.append(loop.index(step, places[-1] + 1))
    assert loop.count("__syncthreads();", 0, loop.index("  }\n  tvm_builtin")) == 2


@pytest.mark.parametrize("name", ["jetson-nano", "jetson-orin-nano", "h100"])
@pytest.mark.parametrize(("inner", "outer", "size"), [(64, 64, 56), (48, 192, 13), (128, 32, 7)])
def test_options_can_be_laid_out(name: str, inner: int, outer: int, size: int) -> None:
    layer = conv((1, size, size, inner), (3, 3, inner, outer), AROUND)
    for tile in islice(tiles_of(layer, GPUS[name]), 0, 60, 12):
        kernel(layer, GPUS[name], Fixed({RULE: "winograd", "tile": plain(tile)}))


def test_it_is_taken_where_multiplying_is_what_takes_time() -> None:
    layer = conv((1, 28, 28, 128), (3, 3, 128, 128), AROUND)
    assert planned(layer, ORIN).rule == "winograd"
    small = conv((1, 7, 7, 128), (3, 3, 128, 32), AROUND)
    assert planned(small, GPUS["h100"]).rule == "implicit_gemm"


@pytest.mark.parametrize(
    "left",
    [
        conv((1, 28, 28, 64), (3, 3, 64, 64), AROUND, element=FLOAT16, sums="float32"),
        conv((1, 28, 28, 62), (3, 3, 62, 64), AROUND),
        conv((1, 28, 28, 64), (5, 5, 64, 64), AROUND),
        conv((1, 28, 28, 64), (3, 3, 32, 64), AROUND, groups=2),
    ],
)
def test_left_to_others(left: Convolution) -> None:
    (rule,) = (rule for rule in RULES["cuda"] if rule.name == "winograd")
    assert rule.plan(left, ORIN, DEFAULTS) is None
