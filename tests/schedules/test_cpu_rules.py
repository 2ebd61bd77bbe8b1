"""Each CPU rule against torch over many shapes, and what makes its kernels fast."""

from __future__ import annotations

import re

import pytest
import torch
from conftest import randomized
from cores import CPUS, core_of
from hypothesis import given, settings
from hypothesis import strategies as st
from networks import assembly, compiled, relative_error
from torch import nn

from tvmlcnn.schedules.cpu.dense_tiles import dense_tiles
from tvmlcnn.targets import DEVICES, Device, resolve

X86 = DEVICES["x86"].with_cores(2)
AVX512 = resolve(
    {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "skylake-avx512"}
).with_cores(1)
few = settings(max_examples=12, deadline=None, derandomize=True)
channels = st.sampled_from([4, 8, 12, 16, 24, 40, 64, 72])
size = st.integers(1, 15)


def check(module: nn.Module, shape: tuple[int, ...], rule: str, device: object = X86) -> None:
    error, kernels = relative_error(randomized(module), shape, device)  # type: ignore[arg-type]
    assert error < 1e-5
    assert kernels.get(rule, 0) >= 1, kernels


@few
@given(inner=st.integers(1, 40), outer=channels, height=size, width=size)
def test_pointwise(inner: int, outer: int, height: int, width: int) -> None:
    net = nn.Sequential(nn.Conv2d(inner, outer, 1), nn.BatchNorm2d(outer), nn.ReLU6())
    check(net, (1, inner, height, width), "dense")


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.hardswish(x + self.conv(x))


@few
@given(width=channels, height=size)
def test_pointwise_with_residual(width: int, height: int) -> None:
    check(Residual(width), (1, width, height, 7), "dense")


@few
@given(
    inner=st.integers(1, 16),
    outer=channels,
    kernel=st.sampled_from([2, 3, 5, 7]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    width=st.integers(13, 20),
    batch=st.integers(1, 2),
)
def test_dense(
    inner: int,
    outer: int,
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    width: int,
    batch: int,
) -> None:
    conv = nn.Conv2d(inner, outer, kernel, stride, padding, dilation)
    check(nn.Sequential(conv, nn.ReLU()), (batch, inner, 14, width), "dense")


@few
@given(
    inner=st.integers(1, 3),
    kernel=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    stride=st.integers(1, 2),
    padding=st.tuples(st.integers(0, 2), st.integers(0, 2)),
    rows=st.integers(5, 9),
    columns=st.sampled_from([24, 48, 47, 31]),
    batch=st.integers(1, 2),
    machine=st.sampled_from([X86, resolve("native").with_cores(1)]),
)
def test_first_layer(
    inner: int,
    kernel: tuple[int, int],
    stride: int,
    padding: tuple[int, int],
    rows: int,
    columns: int,
    batch: int,
    machine: Device,
) -> None:
    """Of few channels, whose padding is left out where tiles make whole rows."""
    conv = nn.Conv2d(inner, 24, kernel, stride, padding)
    check(nn.Sequential(conv, nn.Hardswish()), (batch, inner, rows, columns), "dense", machine)


@few
@given(rows=st.integers(1, 5), inner=st.integers(1, 70), outer=channels)
def test_fully_connected(rows: int, inner: int, outer: int) -> None:
    check(nn.Sequential(nn.Linear(inner, outer), nn.ReLU()), (rows, inner), "dense")


@pytest.mark.parametrize("outer", [1, 3, 29, 58])
@pytest.mark.parametrize("groups", [1, 29])
def test_channels_that_no_vector_divides(outer: int, groups: int) -> None:
    net = nn.Conv2d(29, 29 if groups > 1 else outer, 3, padding=1, groups=groups)
    error, _ = relative_error(net, (1, 29, 7, 7), X86)
    assert error < 1e-5


def test_this_machine_s_vectors() -> None:
    device = resolve("native")
    check(nn.Conv2d(20, 48, 1), (1, 20, 9, 7), "dense", device)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv2d(32, 96, 1), (1, 32, 14, 14)),
        (nn.Conv2d(16, 32, 3, padding=1), (1, 16, 14, 14)),
        (nn.Linear(64, 96), (1, 64)),
    ],
)
def test_multiply_adds_are_vectors(net: nn.Module, shape: tuple[int, ...]) -> None:
    text = assembly(net, shape, X86)
    assert len(re.findall(r"vfmadd\w+ps\s.*%ymm", text)) >= 8
    assert not re.findall(r"vfmadd\w+ss\s|vmulss\s|vaddss\s", text)


@pytest.mark.parametrize(
    ("device", "inner", "outer", "size"),
    [
        (X86, 64, 96, 14),
        (X86, 64, 8, 55),
        (AVX512, 64, 96, 14),
        # No tile of many rows divides these pixels, so that each row has an address of its own.
        (AVX512, 128, 16, 55),
    ],
)
def test_the_inner_loop_keeps_off_the_stack(
    device: Device, inner: int, outer: int, size: int
) -> None:
    """Neither sums nor the addresses of a tile's rows are stored or reloaded."""
    net = nn.Conv2d(inner, outer, 1, bias=False)
    text = assembly(net, (1, inner, size, size), device)
    # An innermost loop runs from a label to the jump back, with no other label between.
    loops = re.findall(r"(?m)^(\.LBB\w+):.*\n((?:(?!\.L).*\n)*?\s+j\w+\s+\1)$", text)
    hot = max(loops, key=lambda loop: len(re.findall("vfmadd", loop[1])))[1]
    assert len(re.findall(r"vfmadd\w+ps", hot)) >= 8
    assert not re.findall(r"\(%rsp\)|vmov[au]ps\s+%[yz]mm\d+, ", hot)


@pytest.mark.parametrize(
    ("net", "shape"),
    [
        (nn.Conv2d(3, 16, 3, 2, 1), (1, 3, 224, 224)),
        (nn.Conv2d(8, 32, 3, 1, 1), (1, 8, 32, 24)),
    ],
)
def test_little_work_for_a_pixel_needs_no_padded_copy(
    net: nn.Module, shape: tuple[int, ...]
) -> None:
    assert 'sblock("pad")' not in str(compiled(net, shape, X86).script(show_meta=False))
    assert "AllocWorkspace" not in assembly(net, shape, X86)


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize(("rows", "outer"), [(1, 1000), (49, 320), (196, 24), (12544, 16)])
def test_tiles_fit_the_registers(name: str, rows: int, outer: int) -> None:
    core = core_of(name)
    tile = dense_tiles(rows, 64, outer, core)[0]
    assert tile.pixels * tile.vectors + tile.vectors + 1 <= core.vector_registers
    assert outer % tile.lanes == 0
    assert tile.lanes <= core.lanes
