"""From scheduled kernels for a CPU to loops of vectors, which LLVM takes."""

from __future__ import annotations

import tvm
from tvm import s_tir, tirx

from tvmlcnn.targets import Device

from .extremes import extremes_by_instruction
from .stores_of_vectors import stores_of_vectors
from .sums_on_stack import sums_on_stack

# TVM does not say so, and would round the numbers of a vector one by one.
tvm.ir.register_op_attr("tirx.nearbyint", "TVectorizable", True)


def lowered(kernels: tvm.IRModule, device: Device) -> tvm.IRModule:
    """Return kernels as TVM's wrappers around loops over flat buffers.

    The passes are those of TVM's default pipeline that do anything for a CPU. Ours comes where
    loops are vectorized and unrolled, and no value has a name of its own yet.

    Parameters
    ----------
    kernels : tvm.IRModule
        Scheduled.
    device : Device
    """
    target = tvm.target.Target(device.tvm)
    passes = [
        tirx.transform.BindTarget(target.with_host(target)),
        s_tir.transform.CanonicalizeLoop(),
        s_tir.transform.LowerInitBlock(),
        s_tir.transform.PlanAndUpdateBufferAllocationLocation(),
        s_tir.transform.ConvertBlocksToOpaque(),
        s_tir.transform.CompactBufferAllocation(),
        s_tir.transform.LowerMatchBuffer(),
        s_tir.transform.StmtSimplify(),
        s_tir.transform.LowerOpaqueBlock(),
        tirx.transform.FlattenBuffer(),
        tirx.transform.BF16ComputeLegalize(),
        tirx.transform.NarrowDataType(32),
        s_tir.transform.LoopPartition(),
        tirx.transform.VectorizeLoop(),
        tirx.transform.StorageRewrite(),
        s_tir.transform.HoistIfThenElse(),
        tirx.transform.UnrollLoop(),
        s_tir.transform.RenormalizeSplitPattern(),
        tirx.transform.StmtSimplify(),
        tirx.transform.RemoveNoOp(),
        s_tir.transform.RewriteUnsafeSelect(),
        stores_of_vectors(device),
        sums_on_stack(device),
        tirx.transform.CommonSubexprElim(),
        tirx.transform.VerifyMemory(),
        tirx.transform.AnnotateEntryFunc(),
        tirx.transform.MakePackedAPI(),
        tirx.transform.BF16StorageLegalize(),
    ]
    wrapped = tvm.ir.transform.Sequential(passes)(kernels)
    return extremes_by_instruction(wrapped) if device.extremes_of_nan else wrapped
