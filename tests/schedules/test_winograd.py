"""Winograd's filtering: against torch over many shapes, when it is chosen, what it compiles to."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from codes import convolution, module, result_of, sums
from conftest import randomized
from cores import CPUS, cpu
from executed import assembly_of
from hypothesis import example, given, settings
from hypothesis import strategies as st
from named_rule import NamedRule
from networks import assembly, compiled, relative_error
from torch import nn

from tvmlcnn import pipeline
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.schedules.cpu.winograd_blocking import winograd_choice
from tvmlcnn.targets import DEVICES, FLOAT16, FLOAT32, INT16, Cpu

# Weights that cost nothing to read: the decision is left to the arithmetic.
X86 = DEVICES["x86"]
assert isinstance(X86, Cpu)
EAGER = replace(X86, clock_ghz=1e-3, bandwidth_gbs=1e9).with_cores(2)
few = settings(max_examples=8, deadline=None, derandomize=True)
channels = st.sampled_from([16, 24, 40, 64])
size = st.integers(7, 31)
ways = st.sampled_from([(1, 2), (1, 4), (1, 5), (2, 2), (2, 4)])


def check(
    module: nn.Module, shape: tuple[int, ...], way: tuple[int, int], device: Cpu = EAGER
) -> None:
    """Check a network of one convolution with a stride, filtered by so many outputs of a tile."""
    # Where it does not pay it must be right all the same.
    device = replace(device, costs=replace(device.costs, winograd_transforms=((*way, 1),)))
    error, kernels = relative_error(randomized(module), shape, device, NamedRule("winograd"))
    assert error < 2e-5
    assert kernels.get("winograd", 0) == 1, kernels


@few
@given(
    inner=channels,
    outer=channels,
    height=size,
    width=size,
    padding=st.integers(0, 2),
    batch=st.integers(1, 2),
    cores=st.integers(1, 3),
    way=ways,
)
@example(inner=64, outer=64, height=55, width=55, padding=1, batch=1, cores=1, way=(1, 4))
@example(inner=64, outer=24, height=13, width=27, padding=0, batch=2, cores=2, way=(1, 2))
@example(inner=64, outer=40, height=14, width=13, padding=1, batch=2, cores=2, way=(1, 5))
@example(inner=64, outer=24, height=31, width=30, padding=1, batch=2, cores=2, way=(2, 4))
@example(inner=16, outer=64, height=14, width=27, padding=0, batch=1, cores=1, way=(2, 2))
def test_many_shapes(
    inner: int,
    outer: int,
    height: int,
    width: int,
    padding: int,
    batch: int,
    cores: int,
    way: tuple[int, int],
) -> None:
    conv = nn.Conv2d(inner, outer, 3, stride=way[0], padding=padding)
    check(
        nn.Sequential(conv, nn.ReLU()), (batch, inner, height, width), way, EAGER.with_cores(cores)
    )


class Residual(nn.Module):
    """What follows a convolution in a residual block."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.hardswish(x + self.norm(self.conv(x)))


@few
@given(width=channels, rows=size, columns=size, outputs=st.sampled_from([2, 4, 5]))
@example(width=64, rows=7, columns=7, outputs=4)
@example(width=64, rows=56, columns=56, outputs=4)
@example(width=64, rows=55, columns=55, outputs=5)
def test_residual(width: int, rows: int, columns: int, outputs: int) -> None:
    check(Residual(width), (1, width, rows, columns), (1, outputs))


@pytest.mark.parametrize(
    ("conv", "shape"),
    [
        (nn.Conv2d(64, 64, 3, stride=3, padding=1), (1, 64, 56, 56)),
        (nn.Conv2d(64, 64, 3, stride=(2, 1), padding=1), (1, 64, 56, 56)),
        (nn.Conv2d(64, 64, 3, padding=2, dilation=2), (1, 64, 56, 56)),
        (nn.Conv2d(64, 64, 5, padding=2), (1, 64, 56, 56)),
        (nn.Conv2d(64, 64, (1, 3), padding=(0, 1)), (1, 64, 56, 56)),
        (nn.Conv2d(3, 64, 3, padding=1), (1, 3, 56, 56)),
    ],
)
def test_other_convolutions_are_left_alone(conv: nn.Module, shape: tuple[int, ...]) -> None:
    assert "winograd" not in kernels_by_rule(compiled(conv, shape, EAGER))


@pytest.mark.parametrize("name", CPUS)
def test_it_pays_where_weights_are_used_often(name: str) -> None:
    """A large map reads its weights once for many tiles; a small one waits for its weights."""
    device = cpu(name)
    choice = winograd_choice((1, 56, 56), 64, 64, device, FLOAT32)
    assert choice is not None
    assert choice.pays
    large = choice.blockings[0]
    assert large.outputs == 4
    registers = large.registers
    assert large.block % registers.pixels == 0
    assert (registers.pixels + 1) * registers.vectors + 1 <= device.vector_registers
    small = winograd_choice((1, 2, 2), 512, 512, device, FLOAT32)
    assert small is None or not small.pays


@pytest.mark.parametrize("name", ["rpi2", "rpi3", "rpi4", "rpi5"])
@pytest.mark.parametrize(
    ("side", "outputs"), [(13, 5), (14, 5), (55, 5), (27, 4), (28, 4), (56, 4)]
)
def test_tiles_that_fill_the_map_are_taken(name: str, side: int, outputs: int) -> None:
    """Those of five where they take fewer products, by one core, and not where as many."""
    choice = winograd_choice((1, side, side), 128, 128, cpu(name).with_cores(1), FLOAT32)
    assert choice is not None
    assert choice.blockings[0].outputs == outputs


def test_codes_and_halves_are_not_cut_by_five() -> None:
    for name, element, outputs in (("rpi4", INT16, {2, 4}), ("rpi5", FLOAT16, {2})):
        choice = winograd_choice((1, 14, 14), 64, 64, cpu(name), element)
        assert choice is not None
        assert {blocking.outputs for blocking in choice.blockings} <= outputs


def test_blocks_of_tiles_fit_the_second_cache() -> None:
    device = cpu("rpi4")
    choice = winograd_choice((1, 112, 112), 32, 32, device, FLOAT32)
    assert choice is not None
    for blocking in choice.blockings:
        points = (blocking.outputs + 2) ** 2
        assert points * blocking.block * 32 * 4 <= device.caches[1]


@pytest.mark.parametrize(("side", "outputs"), [(10, 2), (56, 4)])
def test_only_vectors_are_computed(side: int, outputs: int) -> None:
    choice = winograd_choice((1, side, side), 64, 64, EAGER, FLOAT32)
    assert choice is not None
    assert choice.pays
    assert choice.blockings[0].outputs == outputs
    text = assembly(nn.Conv2d(64, 64, 3, padding=1), (1, 64, side, side), EAGER)
    assert len(re.findall(r"vfmadd\w+ps\s.*%ymm", text)) >= 8
    assert not re.findall(r"vfn?m(add|sub)\w+ss\s|vmulss|vaddss|vsubss", text)


def test_accumulators_stay_in_registers() -> None:
    text = assembly(nn.Conv2d(64, 64, 3, padding=1), (1, 64, 56, 56), EAGER)
    # An innermost loop runs from a label to the jump back, with no other label between.
    loops = re.findall(r"(?m)^(\.LBB\w+):\n((?:(?!\.L).*\n)*?\s+j\w+\s+\1)$", text)
    products = [body for _, body in loops if len(re.findall("vfmadd231ps", body)) >= 8]
    products = [body for body in products if "vsubps" not in body]
    assert products
    for body in products:
        assert not re.findall(r"vmov[au]ps\s+%ymm\d+, ", body)


def test_sums_share_no_memory_with_the_patch_of_a_tile() -> None:
    """Of few channels a patch is of a size that TVM would have them in."""
    device = cpu("rpi5").with_cores(1)
    text = assembly(nn.Conv2d(16, 64, 3, padding=1), (1, 16, 55, 55), device)
    loops = re.findall(r"(?m)^(\.LBB\w+):[^\n]*\n((?:(?!\.L).*\n)*?\s+b\.\w+\s+\1)$", text)
    products = [body for _, body in loops if len(re.findall("fmla.*v\\d+\\.s\\[", body)) >= 32]
    assert products
    for body in products:
        assert not re.findall(r"\sst\w+\s", body)


class _Wired(nn.Module):
    """Two convolutions of one input, and a third of some of their channels."""

    def __init__(self, first: int, count: int) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(16, 64, 1), nn.Conv2d(16, 64, 1)
        self.c = nn.Conv2d(count, 64, 3, padding=1)
        self.first, self.count = first, count

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        both = torch.cat([self.a(x), self.b(x)], 1)
        return self.c(both[:, self.first : self.first + self.count])


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize(("first", "count"), [(0, 128), (64, 64), (20, 40), (32, 64)])
def test_channels_of_planes(first: int, count: int, batch: int) -> None:
    check(_Wired(first, count), (batch, 16, 16, 16), (1, 2))


@pytest.mark.parametrize("batch", [2, 3])
def test_blocks_nest_in_several_maps(batch: int) -> None:
    net = nn.Sequential(nn.Conv2d(16, 128, 1), nn.ReLU(), nn.Conv2d(128, 64, 3, padding=1))
    for side in (13, 14):
        error, kernels = relative_error(randomized(net), (batch, 16, side, side), X86)
        assert error < 2e-5
        assert kernels.get("winograd", 0) + kernels["dense"] == 2


def _of_codes(weight: np.ndarray, side: int, name: str, zero: int = -128) -> Any:
    """Return a convolution of codes, and whether a device computes it so."""
    graph, shape = convolution(weight, Code(1.0, zero, "int8"), padding=1), weight.shape[1]
    mod = pipeline.run(module((1, shape, side, side), "int8", graph), cpu(name).with_cores(1))
    return graph, "winograd" in kernels_by_rule(mod)


@pytest.mark.emulated("aarch64")
@pytest.mark.parametrize(
    ("inner", "outer", "side", "largest", "zero"),
    [(64, 48, 18, 127, -128), (16, 64, 27, 63, 5), (40, 29, 19, 63, 127)],
)
def test_sums_of_codes_are_exact(
    inner: int, outer: int, side: int, largest: int, zero: int
) -> None:
    """Run in the emulator: those that fit float32, in which they are compared."""
    generator = np.random.default_rng(side)
    shape = (outer, inner, 3, 3)
    weight = generator.integers(-largest, largest + 1, shape).astype(np.int8)
    weight[0] = generator.choice([-largest, largest], shape[1:])
    codes = generator.choice([-128, 127, 3], (1, inner, side, side)).astype(np.int8)
    graph, taken = _of_codes(weight, side, "rpi4", zero)
    assert taken
    found = result_of(graph, codes, cpu("rpi4").with_cores(1))
    np.testing.assert_array_equal(found, sums(codes, weight, zero, padding=1))


@pytest.mark.parametrize(
    ("name", "largest", "inner", "taken"),
    [
        ("rpi4", 63, 64, True),
        ("rpi3", 63, 64, True),
        ("rpi5", 63, 64, False),  # by dot products
        ("rpi2", 63, 64, False),
        ("rpi4", 127, 464, False),  # sums that may be too long
    ],
)
def test_codes_are_filtered_without_dot_products(
    name: str, largest: int, inner: int, taken: bool
) -> None:
    weight = np.full((64, inner, 3, 3), largest, np.int8)
    assert _of_codes(weight, 28, name)[1] == taken


@pytest.mark.parametrize("inner", [16, 64])
def test_words_are_multiplied_by_lane(inner: int) -> None:
    weight = np.random.default_rng(0).integers(-63, 64, (64, inner, 3, 3)).astype(np.int8)
    graph, _ = _of_codes(weight, 28, "rpi4")
    device = cpu("rpi4").with_cores(1)
    text = assembly_of(pipeline.run(module((1, inner, 28, 28), "int8", graph), device), device)
    assert len(re.findall(r"smlal2?\s+v\d+\.4s, v\d+\.[48]h, v\d+\.h\[", text)) >= 64
