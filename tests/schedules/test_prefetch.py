"""Weights are fetched ahead of their use: all of the next piece, and only where it pays."""

from __future__ import annotations

import itertools
import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import tvm
from codes import convolution, module
from conftest import randomized
from executed import assembly_of
from networks import assembly, compiled, relative_error
from torch import nn

from tvmlcnn import pipeline
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.targets import DEVICES, Cpu, Device, resolve
from tvmlcnn.targets.x86 import with_wide_vectors
from tvmlcnn.tuning.kernels import Fixed

X86 = DEVICES["x86"].with_cores(1)
assert isinstance(X86, Cpu)
AVX512 = resolve(
    {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "skylake-avx512", "num-cores": 1}
)
VNNI = with_wide_vectors(X86, True)
VNNI = replace(VNNI, tvm=X86.tvm | {"mcpu": "cascadelake"})
_LINES = {"float32": 16, "int8": 64}
_TIR = SimpleNamespace(int64=int, Cast=lambda dtype, value: value)
_NUMBER = r"(?:T\.int64\()?(?<![\w.])(\d+)"


def fetched_lines(text: str, element: str = "float32") -> tuple[set[int], int]:
    """Return the lines that the tiles of the first piece fetch, and the weights of a block."""
    (kernel,) = (part for part in text.split("T.prim_func") if "prefetch" in part)
    found = re.findall(r"T\.prefetch\(T\.address_of\((\w+)\[(.*)\]\), 0, 2, 1\)", kernel)
    declared = re.search(rf"{found[0][0]}: T\.Buffer\(\((.*?)\), \"{element}\"\)", kernel)
    assert declared
    sizes = [int(n) for n in re.findall(_NUMBER, declared[1])]
    loops: dict[str, range] = {}
    for names, kind, extents in re.findall(r"for ([\w, ]+) in (range|T\.\w+)\((.*)\):", kernel):
        sides = re.findall(_NUMBER, extents.partition("annotations")[0])
        for name, extent in zip(names.split(", "), sides, strict=True):
            if any(re.search(rf"\b{name}\b", indices) for _, indices in found):
                block = kind == "T.parallel" or found[0][1].startswith(f"{name},")
                loops[name] = range(1 if block else int(extent))
    lines = set()
    for _, indices in found:
        for values in itertools.product(*loops.values()):
            names = {"T": _TIR, **dict(zip(loops, values, strict=True))}
            flat = 0
            for size, index in zip(sizes, eval(f"[{indices}]", names), strict=True):
                flat = flat * size + index
            lines.add(flat // _LINES[element])
    return lines, math.prod(sizes[1:])


@pytest.mark.parametrize(
    ("inner", "kernel", "side"),
    [(96, 1, 7), (160, 1, 7), (37, 1, 9), (24, 3, 9), (16, 3, 3)],
)
def test_the_next_piece_is_fetched_whole(inner: int, kernel: int, side: int) -> None:
    net = nn.Conv2d(inner, 64, kernel, 2 if kernel > 1 else 1, kernel // 2)
    lines, size = fetched_lines(
        str(compiled(randomized(net), (1, inner, side, side), X86).script(show_meta=False))
    )
    line = _LINES["float32"]
    whole = set(range(-(-size // line), 2 * size // line))
    assert whole <= lines
    # Not much more: rounding up a tile's share.
    assert len(lines) <= 2 * len(whole) + 2


def test_weights_that_the_second_cache_does_not_hold() -> None:
    net = randomized(nn.Sequential(nn.Conv2d(512, 64, 3, 1, 2, 2), nn.ReLU()))
    shape = (1, 512, 9, 9)
    text = str(compiled(net, shape, X86).script(show_meta=False))
    lines, size = fetched_lines(text)
    assert size == 9 * 512 * 16
    tap = 512 * 16 // _LINES["float32"]
    assert set(range(tap, 2 * tap)) <= lines
    assert relative_error(net, shape, X86)[0] < 1e-5


def of_codes(inner: int, kernel: int, side: int, device: Device) -> tvm.IRModule:
    weight = np.ones((64, inner, kernel, kernel), np.int8)
    graph = convolution(weight, Code(1.0, 3, "uint8"), padding=kernel // 2)
    return pipeline.run(module((1, inner, side, side), "uint8", graph), device)


@pytest.mark.parametrize("device", [X86, VNNI], ids=["avx2", "vnni"])
@pytest.mark.parametrize(("inner", "kernel", "side"), [(512, 1, 7), (160, 1, 12), (64, 3, 7)])
def test_the_next_piece_of_codes_is_fetched_whole(
    inner: int, kernel: int, side: int, device: Device
) -> None:
    text = str(of_codes(inner, kernel, side, device).script(show_meta=False))
    lines, size = fetched_lines(text, "int8")
    line = _LINES["int8"]
    whole = set(range(-(-size // line), 2 * size // line))
    assert whole <= lines
    assert len(lines) <= 2 * len(whole) + 2


def test_large_maps_fetch_nothing() -> None:
    assert "prefetch" not in assembly(randomized(nn.Conv2d(64, 64, 1)), (1, 64, 40, 40), X86)
    assert "prefetch" in assembly(randomized(nn.Conv2d(64, 64, 1)), (1, 64, 7, 7), X86)


def test_it_is_a_decision() -> None:
    net, shape = randomized(nn.Conv2d(64, 64, 1)), (1, 64, 7, 7)
    text = str(compiled(net, shape, X86, Fixed({"prefetch": False})).script(show_meta=False))
    assert "prefetch" not in text


@pytest.mark.parametrize("device", [X86, AVX512], ids=["avx2", "avx512"])
def test_sums_stay_in_registers(device: Device) -> None:
    """A fetch keeps LLVM from holding in registers what is on the heap."""
    kept_in_registers(
        assembly(randomized(nn.Conv2d(512, 512, 1)), (1, 512, 7, 7), device), "vfmadd"
    )


@pytest.mark.parametrize("side", [7, 14])
def test_sums_of_codes_stay_in_registers(side: int) -> None:
    text = assembly_of(of_codes(512, 1, side, VNNI), VNNI)
    kept_in_registers(text, "vpdpbusd")


def kept_in_registers(text: str, instruction: str) -> None:
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if "prefetch" in line)
    loop = lines[first : next(i for i in range(first, len(lines)) if "\tj" in lines[i])]
    assert sum(instruction in line for line in loop) >= 8
    assert not [line for line in loop if re.search(r"\tvmov\w+\t%[xyz]mm\d+, .*\(", line)]


@pytest.mark.parametrize("channels", [24, 40, 116])
def test_odd_channels_fill_whole_vectors(channels: int) -> None:
    net = nn.Sequential(nn.Conv2d(32, channels, 1), nn.ReLU(), nn.Conv2d(channels, 32, 1))
    text = assembly(randomized(net), (1, 32, 8, 8), AVX512)
    assert re.search(r"vfmadd\w+\t.*%zmm", text)
    assert not re.search(r"vfmadd\w+\t.*%ymm", text)
