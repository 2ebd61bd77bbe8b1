"""Kernels for GPUs that spill get more registers."""

from __future__ import annotations

import re

import pytest
from networks import compiled
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import cuda_source, find_compiler
from tvmlcnn.package.cuda_compiler import available
from tvmlcnn.package.spills import spilling, with_more_registers
from tvmlcnn.package.variants import together
from tvmlcnn.targets import DEVICES

SAID = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_87'
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 20 registers, used 1 barriers, 1024 bytes smem, 368 bytes cmem[0]
ptxas info    : Compiling entry function 'second' for 'sm_87'
    64 bytes stack frame, 48 bytes spill stores, 96 bytes spill loads
ptxas info    : Used 72 registers, used 0 barriers, 376 bytes cmem[0]
"""
SOURCE = """
extern "C" __global__ void __launch_bounds__(128) first(float* x) {}
extern "C" __global__ void __launch_bounds__(224) second(float* x) {}
extern "C" __global__ void __launch_bounds__(64) second_1(float* x) {}
"""


def test_what_spills() -> None:
    assert spilling(SAID) == {"second"}
    assert (
        spilling(SAID[: SAID.index("ptxas info    : Compiling entry function 'second'")]) == set()
    )
    assert spilling("") == set()


def test_only_that_gets_more() -> None:
    changed = SOURCE.replace("(224) second", "(224, 1) second")
    assert with_more_registers(SOURCE, {"second"}) == changed
    assert with_more_registers(SOURCE, set()) == SOURCE


@pytest.mark.long
@pytest.mark.parametrize("name", ["nvcc", "nvrtc"])
def test_no_kernel_of_a_network_spills(name: str) -> None:
    """In resnet50's last layers ptxas moved two values to memory for one more block."""
    device = DEVICES["jetson-orin-nano"]
    try:
        find_compiler(device.gpu_code)
    except UserError as error:
        pytest.skip(str(error))
    compiler = next((each for each in available(fatbin=False) if each.name == name), None)
    if compiler is None:
        pytest.skip(f"no {name} here")
    net = nn.Sequential(nn.Conv2d(512, 512, 3, padding=1), nn.ReLU())
    source = cuda_source(together([compiled(net, (1, 512, 7, 7), device)]).mod, device)[1]
    _, said = compiler.inspect(source, device.gpu_code[0])
    assert re.findall(r"(\d+) bytes spill stores", said)
    assert spilling(said) == set()
