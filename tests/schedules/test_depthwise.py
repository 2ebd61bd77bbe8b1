"""The depthwise rule against torch over many shapes, and what makes its kernels fast."""

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

from tvmlcnn.schedules.cpu.depthwise import Layout, depthwise_strips, depthwise_tiles
from tvmlcnn.targets import DEVICES, Device, resolve

X86 = DEVICES["x86"].with_cores(2)
few = settings(max_examples=12, deadline=None, derandomize=True)
channels = st.sampled_from([8, 12, 16, 24, 40, 64, 72])


def depthwise(width: int, kernel: object, *args: object) -> nn.Conv2d:
    return nn.Conv2d(width, width, kernel, *args, groups=width)  # type: ignore[arg-type]


def check(module: nn.Module, shape: tuple[int, ...], device: Device = X86) -> None:
    error, kernels = relative_error(randomized(module), shape, device)
    assert error < 1e-5
    assert kernels.get("depthwise", 0) >= 1, kernels


@few
@given(
    width=channels,
    kernel=st.sampled_from([3, 5, 7]),
    stride=st.integers(1, 3),
    padding=st.integers(0, 3),
    rows=st.integers(7, 16),
    columns=st.integers(7, 34),
    batch=st.integers(1, 2),
)
def test_shapes(
    width: int, kernel: int, stride: int, padding: int, rows: int, columns: int, batch: int
) -> None:
    conv = depthwise(width, kernel, stride, padding)
    net = nn.Sequential(conv, nn.BatchNorm2d(width), nn.Hardswish())
    check(net, (batch, width, rows, columns))


@few
@given(
    kernel=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    padding=st.tuples(st.integers(0, 5), st.integers(0, 5)),
    dilation=st.integers(1, 3),
    rows=st.integers(10, 12),
    columns=st.integers(10, 18),
)
def test_kernels_that_are_not_square(
    kernel: tuple[int, int],
    padding: tuple[int, int],
    dilation: int,
    rows: int,
    columns: int,
) -> None:
    check(depthwise(16, kernel, (2, 1), padding, dilation), (1, 16, rows, columns))


@pytest.mark.parametrize("size", [1, 2, 3, 7])
@pytest.mark.parametrize("padding", [0, 1])
def test_a_kernel_as_large_as_the_map(size: int, padding: int) -> None:
    check(depthwise(48, size, 1, padding), (1, 48, size, size))


def test_a_kernel_much_larger_than_a_tile() -> None:
    check(depthwise(8, 13, 1, 6), (1, 8, 9, 20))


class Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = depthwise(width, 3, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.relu6(x + self.conv(x))


@pytest.mark.parametrize("size", [1, 7, 13, 56])
def test_residual(size: int) -> None:
    check(Residual(24), (1, 24, size, size))


def test_this_machine_s_vectors() -> None:
    check(depthwise(48, 3, 2, 1), (1, 48, 9, 7), resolve("native"))


@pytest.mark.parametrize(("kernel", "stride", "most"), [(3, 1, 0.65), (5, 1, 0.55), (3, 2, 0.95)])
@pytest.mark.parametrize("width", [28, 13])
def test_a_loaded_pixel_serves_several_taps(
    kernel: int, stride: int, most: float, width: int
) -> None:
    """Vectors alone are multiplied, with fewer loads than two for each tap, or even one."""
    text = assembly(depthwise(64, kernel, stride, kernel // 2), (1, 64, width, width), X86)
    multiplied = re.findall(r"vfmadd\w+ps\s.*%ymm", text)
    loaded = re.findall(r"vfmadd\w+ps\s.*\(|vmov[au]ps\s+[^%\s]*\([^)]*\), %ymm", text)
    assert len(multiplied) >= 2 * kernel * kernel
    assert len(loaded) < most * len(multiplied)
    assert not re.findall(r"vfmadd\w+ss\s|vmulss\s|vaddss\s", text)


def test_only_border_tiles_have_conditions() -> None:
    """A row is a first tile, tiles in a loop, and a last one: three times the code of a tile."""
    text = assembly(depthwise(8, 3, 1, 1), (1, 8, 8, 64), X86)
    tile = depthwise_tiles(64, 8, core_of("x86"))[0]
    first_and_last = 2 * 3 * (3 * tile.pixels - 1)
    inside = 3 * 3 * tile.pixels
    assert len(re.findall(r"vfmadd\w+ps\s.*%ymm", text)) == first_and_last + inside


@pytest.mark.parametrize("padding", [0, 1])
def test_neither_copies_nor_memory_of_its_own(padding: int) -> None:
    """The padding is in no copy of the input; the sums are in registers."""
    net, shape = depthwise(64, 3, 1, padding), (1, 64, 28, 28)
    assert 'sblock("pad")' not in str(compiled(net, shape, X86).script(show_meta=False))
    assert "AllocWorkspace" not in assembly(net, shape, X86)


@pytest.mark.parametrize("name", CPUS)
@pytest.mark.parametrize("width", [1, 2, 3, 7, 13, 14, 22, 112])
def test_tiles_fit_the_registers(name: str, width: int) -> None:
    core = core_of(name)
    tile = depthwise_tiles(width, 96, core)[0]
    assert tile.lanes == core.lanes
    assert 96 % tile.channels == 0
    # The sums, and a row of weights of three taps and a pixel.
    assert tile.pixels * tile.vectors + 4 <= core.vector_registers
    assert tile.pixels <= width
    strip = depthwise_strips(Layout(tile, width, 96, (3, 3)), core)[0]
    assert (96 // tile.lanes) % strip == 0
    assert strip % tile.vectors == 0


def test_the_tiles_of_a_row_waste_little() -> None:
    for width in range(1, 129):
        tile = depthwise_tiles(width, 32, core_of("x86"))[0]
        assert -(-width // tile.pixels) * tile.pixels <= 1.25 * width


@pytest.mark.parametrize("name", [name for name in CPUS if name != "rpi2"])
def test_a_map_beyond_the_second_cache_is_read_in_whole_lines(name: str) -> None:
    core = core_of(name)
    large = depthwise_tiles(56, 96, core, 8 * core.caches[1])[0]
    assert large.channels * 4 >= 64
    assert large.pixels * large.vectors <= core.vector_registers // 2


def test_few_registers_are_for_pixels_rather_than_for_whole_lines() -> None:
    core = core_of("rpi2")
    assert depthwise_tiles(56, 96, core, 8 * core.caches[1])[0].pixels >= 3


def test_few_registers_hold_what_a_row_of_a_large_kernel_reads_ahead() -> None:
    """A row's weights, and the pixels that are yet to be read by the next one, beside the sums."""
    core = core_of("rpi2")
    for taps in (3, 5):
        tile = depthwise_tiles(56, 96, core, stride=2, taps=taps)[0]
        assert tile.pixels * tile.vectors + taps + taps - 2 <= core.free_registers
    assert depthwise_tiles(56, 96, core, stride=2, taps=9)[0].pixels >= 3
