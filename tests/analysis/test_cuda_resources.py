"""What kernels for GPUs take of a multiprocessor: none spills, and products leave room for two."""

from __future__ import annotations

import pytest
from cuda_kernels import nvcc
from small_networks import SMALL

from tvmlcnn.analysis.cuda import count_network
from tvmlcnn.analysis.cuda.resources import Resources, resources
from tvmlcnn.models import names
from tvmlcnn.targets import DEVICES, Gpu

GPUS = {name: device for name, device in DEVICES.items() if isinstance(device, Gpu)}

_PRODUCTS = ("implicit_gemm", "row_product", "tensor_gemm", "winograd")

SAID = """
ptxas info    : 0 bytes gmem
ptxas info    : Compiling entry function 'first' for 'sm_87'
ptxas info    : Function properties for first
    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads
ptxas info    : Used 20 registers, used 1 barriers, 1024 bytes smem, 368 bytes cmem[0]
ptxas info    : Compile time = 9.188 ms
ptxas info    : Compiling entry function 'second' for 'sm_87'
ptxas info    : Function properties for second
    64 bytes stack frame, 48 bytes spill stores, 96 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers, 376 bytes cmem[0]
"""


def test_what_ptxas_says() -> None:
    found = resources(SAID)
    assert found == {
        "first": Resources(20, 0, 0, 0, 1024),
        "second": Resources(255, 64, 48, 96, 0),
    }
    assert [each.spills for each in found.values()] == [0, 144]


def check(model: str, gpu: Gpu, dtype: str = "float32") -> None:
    """No kernel spills, and of products two blocks fit on a multiprocessor."""
    nvcc(gpu.gpu_code[0])
    count = count_network(model, gpu, dtype)
    assert count.macs > 0
    for call in count.calls:
        for launch in call.launches:
            assert launch.resources.spills == 0, launch
            assert not launch.uncounted, launch
            if call.rule in _PRODUCTS:
                assert launch.resident >= 2, launch


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "tf32", "int8"])
def test_a_small_network(dtype: str) -> None:
    check("mobilenet_v2?width=0.35&resolution=32", GPUS["jetson-orin-nano"], dtype)


@pytest.mark.slow
@pytest.mark.parametrize("target", ["t4", "jetson-orin-nano", "h100"])
@pytest.mark.parametrize("model", SMALL)
def test_small_networks_of_codes(model: str, target: str) -> None:
    check(model, GPUS[target], "int8")


@pytest.mark.slow
@pytest.mark.parametrize("target", ["t4", "jetson-orin-nano", "h100"])
@pytest.mark.parametrize("model", [*SMALL, *names()])
def test_every_network(model: str, target: str) -> None:
    check(model, GPUS[target])
