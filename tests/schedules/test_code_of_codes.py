"""What kernels of codes are in CUDA C++, and what they take of a GPU."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import tvm
from codes import convolution, module
from gpu_kernels import GPUS, needs_nvcc, usage_of

from tvmlcnn import pipeline
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.package.cuda import cuda_source
from tvmlcnn.package.variants import together
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import Gpu

RULES = {"cuda": "tensor_gemm", "jetson-orin-nano": "tensor_gemm", "jetson-xavier-nx": "dot_gemm"}
ORIN, XAVIER = GPUS["jetson-orin-nano"], GPUS["jetson-xavier-nx"]
CODE = Code(1.0, 97, "uint8")


def random(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(0).integers(-128, 128, shape, dtype="int8")


LAYERS = {
    "pointwise": (convolution(random((96, 24, 1, 1)), CODE), (1, 24, 56, 56)),
    "3x3": (convolution(random((64, 64, 3, 3)), CODE, padding=1), (1, 64, 28, 28)),
    "depthwise": (
        convolution(random((96, 1, 3, 3)), CODE, padding=1, groups=96),
        (1, 96, 28, 28),
    ),
    "5x5 depthwise": (
        convolution(random((96, 1, 5, 5)), CODE, padding=2, groups=96),
        (1, 96, 28, 28),
    ),
}


@needs_nvcc
@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("target", [*RULES, "h100"])
def test_two_blocks_fit_a_multiprocessor(name: str, target: str) -> None:
    """And none spills; what nvcc has no target for is compiled for the next one that it has."""
    gpu, (graph, shape) = GPUS[target], LAYERS[name]
    mod = pipeline.run(module(shape, "uint8", graph), gpu)
    known = replace(gpu, gpu_code=(f"sm_{max(gpu.capability, 75)}",))
    source = cuda_source(together([mod]).mod, gpu)[1]
    for kernel in usage_of(source, known).values():
        assert kernel.spilled == 0
        assert 2 * kernel.registers * kernel.threads <= gpu.registers
        assert 2 * kernel.shared <= gpu.shared_of_multiprocessor


def made(gpu: Gpu, zero: int, padding: int = 1) -> tuple[tvm.IRModule, str]:
    """Return a convolution of codes, scheduled, and its CUDA C++."""
    graph = convolution(random((64, 64, 3, 3)), Code(1.0, zero, "uint8"), padding=padding)
    mod = pipeline.run(module((1, 64, 14, 14), "uint8", graph), gpu)
    return mod, cuda_source(together([mod]).mod, gpu)[1]


def test_each_gpu_has_its_instruction() -> None:
    for gpu, instruction in ((ORIN, "mma.sync.aligned.m16n8k32"), (XAVIER, "dp4a.u32.s32")):
        mod, source = made(gpu, 0)
        assert RULES[gpu.name] in kernels_by_rule(mod)
        assert instruction in source


def test_gpus_without_any_compute_numbers() -> None:
    nano = GPUS["jetson-nano"]
    assert nano.codes is None
    assert nano.gain("int8") is None
    mod, source = made(nano, 0)
    assert "winograd" in kernels_by_rule(mod)
    assert "tvmlcnn_mma" not in source


def test_the_code_of_zero_lies_around_maps() -> None:
    """A copy that no thread waits for leaves zeros; another code is stored."""
    assert "} else {" not in copies(made(ORIN, 0)[1])
    assert "make_uint4((uchar)77" in copies(made(ORIN, 77)[1])
    assert "make_uint4((uchar)77" not in copies(made(ORIN, 77, padding=0)[1])


def copies(source: str) -> str:
    """Return the kernels from the first asynchronous copy on, without the functions before."""
    return source[source.index('extern "C" __global__') :].partition("tvmlcnn_copy_16(")[2]
