"""What a launch may take of a GPU: a schedule that takes more is given up.

Registers are not among it: code is generated for just as many as let a block of its size run
(``__launch_bounds__``), at worst with spills.
"""

from __future__ import annotations

import tvm
from tvm import s_tir, tirx
from tvm.tirx import PrimFunc

from tvmlcnn.targets import Gpu

_STATIC, _DYNAMIC = "shared", "shared.dyn"
_ALLOCATED = tvm.transform.Sequential(
    [
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerCrossThreadReduction(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.LiftThreadBinding(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.UnifyThreadBinding(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.StmtSimplify(),
        s_tir.transform.InjectSoftwarePipeline(),
        s_tir.transform.LowerOpaqueBlock(),
        tirx.transform.FlattenBuffer(),
        tirx.transform.VectorizeLoop(),
        s_tir.transform.InjectVirtualThread(),
        tirx.transform.StorageRewrite(),
    ]
)
"""What of the head of TVM's way to code decides which buffers a block has, and how large."""


def exceeded(function: PrimFunc, gpu: Gpu) -> str | None:
    """Return which limit of a GPU a scheduled function exceeds, and by how much; None if none.

    Static shared memory is counted as TVM uses it again for what is needed later, dynamic one as if
    none of it were used twice.
    """
    lowered = _ALLOCATED(tvm.IRModule({"main": function}))["main"]
    taken = s_tir.analysis.calculate_allocated_bytes(lowered)["main"]
    static, dynamic = (int(taken.get(scope, 0)) for scope in (_STATIC, _DYNAMIC))
    if static > gpu.shared_bytes:
        return f"{static} bytes of shared memory, where a block has {gpu.shared_bytes}"
    if static + dynamic > gpu.shared_opt_in_bytes:
        return (
            f"{static + dynamic} bytes of shared memory, where a block may ask for "
            f"{gpu.shared_opt_in_bytes}"
        )
    most = gpu.threads_of_block
    if not s_tir.analysis.verify_gpu_code(lowered, {"max_threads_per_block": most}):
        return f"more than {most} threads of a block"
    return None
