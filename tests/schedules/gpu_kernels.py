"""Kernels of a GPU in tests of rules: run here, compiled by nvcc."""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch
from conftest import randomized
from executed import no_gpu_runner
from networks import compiled, relative_error
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import cuda_source, find_compiler
from tvmlcnn.package.tensor_cores import products_of_steps
from tvmlcnn.package.variants import together
from tvmlcnn.targets import DEVICES, FLOAT32, Device, ElementType, Gpu

GPUS: dict[str, Gpu] = {n: each for n, each in DEVICES.items() if isinstance(each, Gpu)}
CUDA = GPUS["cuda"]
# Of a thread, less than the 255 that it may have: two blocks of 256 threads are to be resident.
MOST_REGISTERS = 128


needs_runner = pytest.mark.skipif(
    no_gpu_runner(), reason="no GPU, and no OpenCL driver for the CPU"
)


def nvcc() -> Path | None:
    """Return the path of an nvcc that knows compute capability 7.5, if there is one."""
    try:
        return find_compiler(("sm_75",)).path
    except UserError:
        return None


needs_nvcc = pytest.mark.skipif(nvcc() is None, reason="no nvcc")


def check(
    module: nn.Module,
    shape: tuple[int, ...],
    rule: str,
    count: int = 1,
    device: Device = CUDA,
    most: float = 1e-5,
) -> None:
    """Compare a network's output with torch's, and count the kernels of a rule."""
    error, kernels = relative_error(randomized(module), shape, device)
    assert error < most
    assert kernels.get(rule, 0) == count, kernels


@dataclass(frozen=True)
class Usage:
    """What a kernel takes: registers and bytes spilled, of a thread; shared bytes and threads."""

    registers: int
    spilled: int
    shared: int
    threads: int


def cuda_of(
    module: nn.Module,
    shape: tuple[int, ...],
    device: Device = CUDA,
    element: ElementType = FLOAT32,
) -> str:
    """Return the CUDA C++ of a network."""
    mod = compiled(module, shape, device, element=element)
    return cuda_source(together([mod]).mod, device)[1]


def usage(
    module: nn.Module,
    shape: tuple[int, ...],
    device: Device = CUDA,
    element: ElementType = FLOAT32,
) -> dict[str, Usage]:
    """Return what ptxas says of each kernel of a network, for the device's first architecture."""
    return usage_of(cuda_of(module, shape, device, element), device)


def usage_of(source: str, device: Device) -> dict[str, Usage]:
    """Return the same of CUDA C++."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "kernels.cu")
        path.write_text(source)
        options = [
            "-cubin",
            "-w",
            f"-arch={device.gpu_code[0]}",
            "-Xptxas",
            "-v",
            "-allow-unsupported-compiler",
        ]
        command = [str(nvcc()), *options, "-o", str(path.with_suffix(".cubin")), str(path)]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stderr
    bounds = re.findall(r"__launch_bounds__\((\d+)(?:, \d+)?\) (\w+)\(", source)
    threads = {name: int(count) for count, name in bounds}
    found = re.findall(
        r"Compiling entry function '(\w+)'(?:.|\n)*?(\d+) bytes spill stores(?:.|\n)*?"
        r"Used (\d+) registers(?:.*?(\d+) bytes smem)?",
        said,
    )
    return {
        name: Usage(int(registers), int(spilled), int(shared or 0), threads[name])
        for name, spilled, registers, shared in found
    }


class ChannelsApart(nn.Module):
    """A residual of a split and a shuffle, whose convolution reads channels that lie apart."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(24, 24, 1), nn.Conv2d(12, 12, 3, padding=1)
        self.norm, self.third = nn.BatchNorm2d(24), nn.Conv2d(24, 24, 3, padding=1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = torch.relu(self.first(x)).chunk(2, 1)
        shuffled = nn.functional.channel_shuffle(torch.cat([left, self.second(right)], 1), 2)
        half = self.second(shuffled[:, :12])
        return x + self.third(torch.relu(self.norm(torch.cat([half, shuffled[:, 12:]], 1))))


def swap_registers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a warp's instruction take two of a lane's registers for each other."""

    def swapped(source: str) -> str:
        text = products_of_steps(source)
        order = '"r"(b[i]), "r"(a[i + 1])'
        assert order in text
        return text.replace(order, '"r"(a[i + 1]), "r"(b[i])')

    multiply_by(swapped, monkeypatch)


def multiply_by(products: Callable[[str], str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Have kernels call other functions for what tensor cores do, on a GPU and on PoCL."""
    for module in ("cuda", "tensor_cores"):
        monkeypatch.setattr(f"tvmlcnn.package.{module}.products_of_steps", products)
