"""Small CUDA kernels, compiled by nvcc and run in emulation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from tvmlcnn.analysis.cuda.disassembly import disassemble, find_disassembler
from tvmlcnn.analysis.cuda.emulation import Executed, Run
from tvmlcnn.analysis.cuda.machine import Lanes
from tvmlcnn.analysis.cuda.sass import Listing, listings
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda_compiler import Compiler, find_compiler

ARCHITECTURES = ("sm_75", "sm_87", "sm_90")


def nvcc(code: str = "sm_87") -> Compiler:
    """Return nvcc, or skip the test where it or nvdisasm is missing."""
    try:
        find_disassembler()
        compiler = find_compiler((code,))
    except UserError as error:
        pytest.skip(str(error))
    if compiler.path is None:
        pytest.skip(f"{compiler} prints no registers")
    return compiler


def compiled(bodies: Sequence[str], code: str) -> list[Listing]:
    """Return the machine code of kernels of the tensors a, b (float) and i (int)."""
    source = "\n".join(
        f'extern "C" __global__ void f{n}(const float* __restrict__ a, float* __restrict__ b, '
        f"const int* __restrict__ i) {{ int t = threadIdx.x, g = blockIdx.x; {body} }}"
        for n, body in enumerate(bodies)
    )
    found = listings(disassemble(nvcc(code).inspect(source, code)[0]))
    return [found[f"f{n}"] for n in range(len(bodies))]


def executed(
    kernel: Listing, grid: int, block: int, code: str = "sm_87", together: bool = False
) -> Executed:
    """Run all blocks of a launch."""
    blocks = np.array([[n, 0, 0] for n in range(grid)])
    lanes = Lanes((grid, 1, 1), (block, 1, 1), blocks, int(code.split("_")[1]))
    return Run(kernel, lanes, np.ones(grid), together).run()
