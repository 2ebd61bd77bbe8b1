"""That PoCL's build of kernels tells accesses outside of their arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import tvm
from executed import no_pocl
from tvm.script import tirx as T

from tvmlcnn.targets import DEVICES

pytestmark = pytest.mark.skipif(no_pocl(), reason="no OpenCL driver for the CPU")


def kernel(read: int, staged: int, written: int, lanes: int = 1) -> tvm.IRModule:
    """Return a copy of 64 numbers, through 16 in shared memory, that is so much off."""

    @T.prim_func(s_tir=True, check_well_formed=False)
    def copy(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):
        T.func_attr({"global_symbol": "copy", "tirx.noalias": True})
        kept = T.sblock_alloc_buffer((16,), "float32", scope="shared")
        for i in T.thread_binding(64 // 16, thread="blockIdx.x"):
            for j in T.thread_binding(16 // lanes, thread="threadIdx.x"):
                for k in T.vectorized(lanes):
                    with T.sblock("read"):
                        n = T.axis.spatial(64, i * 16 + j * lanes + k)
                        T.reads(x[0:64])
                        T.writes(kept[0:16])
                        kept[n % 16 + staged] = x[n + read]
            for j in T.thread_binding(16 // lanes, thread="threadIdx.x"):
                for k in T.vectorized(lanes):
                    with T.sblock("write"):
                        n = T.axis.spatial(64, i * 16 + j * lanes + k)
                        T.reads(kept[0:16])
                        T.writes(y[0:64])
                        y[n + written] = kept[n % 16]

    return tvm.IRModule({"copy": copy})


def run(mod: tvm.IRModule, block: int) -> np.ndarray:
    import pocl

    kernels = pocl.Kernels(pocl.source(mod, DEVICES["cuda"]))
    ((name, count),) = kernels.arguments.items()
    assert count == 2
    x, y = np.arange(64, dtype=np.float32), np.zeros(64, np.float32)
    # TVM orders a kernel's arguments by itself.
    named = [x, y] if "x_ptr" in _first_parameter(mod) else [y, x]
    kernels.launch(name, (4, 1, 1), (block, 1, 1), [each.ctypes.data for each in named])
    return y


def _first_parameter(mod: tvm.IRModule) -> Any:
    import pocl

    return pocl.source(mod, DEVICES["cuda"]).split("_kernel(")[1].split(",")[0]


@pytest.mark.parametrize("lanes", [1, 4])
def test_what_stays_inside_runs(lanes: int) -> None:
    np.testing.assert_array_equal(run(kernel(0, 0, 0, lanes), 16 // lanes), np.arange(64))


@pytest.mark.parametrize("lanes", [1, 4])
@pytest.mark.parametrize(
    ("off", "which"),
    [
        ((lambda n: (n, 0, 0)), "x_ptr of 64"),
        ((lambda n: (-n, 0, 0)), "x_ptr of 64"),
        ((lambda n: (0, n, 0)), "kept_ptr of"),
        ((lambda n: (0, 0, n)), "y_ptr of 64"),
    ],
)
def test_what_leaves_its_array_is_told(lanes: int, off: Any, which: str) -> None:
    with pytest.raises(IndexError, match=rf"accesses outside, .*{which}"):
        run(kernel(*off(lanes), lanes), 16 // lanes)


def test_a_vector_that_is_not_aligned_is_told() -> None:
    with pytest.raises(IndexError, match=r"accesses outside, .*_ptr of .*: 4 from 1"):
        run(kernel(0, 1, 0, 4), 4)
