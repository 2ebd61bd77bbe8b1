"""Weights are fetched ahead of their use: all of the next piece, and only where it pays."""

from __future__ import annotations

import itertools
import math
import re
from types import SimpleNamespace

import pytest
from conftest import randomized
from networks import assembly, compiled, relative_error
from torch import nn

from tvmlcnn.targets import DEVICES, Device, resolve
from tvmlcnn.tuning.kernels import Fixed

X86 = DEVICES["x86"].with_cores(1)
AVX512 = resolve(
    {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "skylake-avx512", "num-cores": 1}
)
_LINE = 16  # float32
_TIR = SimpleNamespace(int64=int, Cast=lambda dtype, value: value)
_NUMBER = r"(?:T\.int64\()?(?<![\w.])(\d+)"


def fetched_lines(text: str) -> tuple[set[int], int]:
    """Return the lines that the tiles of the first piece fetch, and the weights of a block."""
    (kernel,) = (part for part in text.split("T.prim_func") if "prefetch" in part)
    found = re.findall(r"T\.prefetch\(T\.address_of\((\w+)\[(.*)\]\), 0, 2, 1\)", kernel)
    declared = re.search(rf"{found[0][0]}: T\.Buffer\(\((.*?)\), \"float32\"\)", kernel)
    assert declared
    sizes = [int(n) for n in re.findall(_NUMBER, declared[1])]
    loops: dict[str, range] = {}
    for names, kind, extents in re.findall(r"for ([\w, ]+) in (range|T\.\w+)\((.*)\):", kernel):
        sides = re.findall(_NUMBER, extents.partition("annotations")[0])
        for name, extent in zip(names.split(", "), sides, strict=True):
            if any(re.search(rf"\b{name}\b", indices) for _, indices in found):
                loops[name] = range(1 if kind == "T.parallel" else int(extent))
    lines = set()
    for _, indices in found:
        for values in itertools.product(*loops.values()):
            names = {"T": _TIR, **dict(zip(loops, values, strict=True))}
            flat = 0
            for size, index in zip(sizes, eval(f"[{indices}]", names), strict=True):
                flat = flat * size + index
            lines.add(flat // _LINE)
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
    whole = set(range(-(-size // _LINE), 2 * size // _LINE))
    assert whole <= lines
    # Not much more: rounding up a tile's share.
    assert len(lines) <= 2 * len(whole) + 2


def test_weights_that_the_second_cache_does_not_hold() -> None:
    net = randomized(nn.Sequential(nn.Conv2d(512, 64, 3, 1, 2, 2), nn.ReLU()))
    shape = (1, 512, 9, 9)
    text = str(compiled(net, shape, X86).script(show_meta=False))
    lines, size = fetched_lines(text)
    assert size == 9 * 512 * 16
    tap = 512 * 16 // _LINE
    assert set(range(tap, 2 * tap)) <= lines
    assert relative_error(net, shape, X86)[0] < 1e-5


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
    text = assembly(randomized(nn.Conv2d(512, 512, 1)), (1, 512, 7, 7), device)
    lines = text.splitlines()
    first = next(i for i, line in enumerate(lines) if "prefetch" in line)
    loop = lines[first : next(i for i in range(first, len(lines)) if "\tj" in lines[i])]
    assert sum("vfmadd" in line for line in loop) >= 8
    assert not [line for line in loop if re.search(r"\tvmov\w+\t%[xyz]mm\d+, .*\(", line)]


@pytest.mark.parametrize("channels", [24, 40, 116])
def test_odd_channels_fill_whole_vectors(channels: int) -> None:
    net = nn.Sequential(nn.Conv2d(32, channels, 1), nn.ReLU(), nn.Conv2d(channels, 32, 1))
    text = assembly(randomized(net), (1, 32, 8, 8), AVX512)
    assert re.search(r"vfmadd\w+\t.*%zmm", text)
    assert not re.search(r"vfmadd\w+\t.*%ymm", text)
