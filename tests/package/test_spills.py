"""Kernels for GPUs that spill get more registers."""

from __future__ import annotations

import re

import pytest
from networks import compiled
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import cuda_source, find_compiler
from tvmlcnn.package.cuda_compiler import available
from tvmlcnn.package.launch_bounds import with_fewer_resident
from tvmlcnn.package.spills import spilling
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
extern "C" __global__ void __launch_bounds__(160, 4) third(float* x) {}
"""


def test_what_spills() -> None:
    assert spilling(SAID) == {"second"}
    assert (
        spilling(SAID[: SAID.index("ptxas info    : Compiling entry function 'second'")]) == set()
    )
    assert spilling("") == set()


def test_only_that_gets_more() -> None:
    changed = SOURCE.replace("(224) second", "(224, 1) second")
    assert with_fewer_resident(SOURCE, {"second"}) == changed
    assert with_fewer_resident(changed, {"second"}) == changed
    assert with_fewer_resident(SOURCE, {"third"}) == SOURCE.replace("(160, 4)", "(160, 3)")
    assert with_fewer_resident(SOURCE, set()) == SOURCE


@pytest.mark.long
@pytest.mark.parametrize("name", ["nvcc", "nvrtc"])
@pytest.mark.parametrize(
    ("convolution", "size"),
    [(nn.Conv2d(512, 512, 3, padding=1), 7), (nn.Conv2d(48, 192, 1), 13)],
    ids=["3x3", "pointwise"],
)
def test_no_kernel_of_a_network_spills(name: str, convolution: nn.Conv2d, size: int) -> None:
    """ptxas moved two values to memory for one more block, and four where one less was enough."""
    device = DEVICES["jetson-orin-nano"]
    try:
        find_compiler(device.gpu_code)
    except UserError as error:
        pytest.skip(str(error))
    compiler = next((each for each in available(fatbin=False) if each.name == name), None)
    if compiler is None:
        pytest.skip(f"no {name} here")
    net, shape = nn.Sequential(convolution, nn.ReLU()), (1, convolution.in_channels, size, size)
    source = cuda_source(together([compiled(net, shape, device)]).mod, device)[1]
    _, said = compiler.inspect(source, device.gpu_code[0])
    assert re.findall(r"(\d+) bytes spill stores", said)
    assert spilling(said) == set()
