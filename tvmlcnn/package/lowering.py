"""From scheduled kernels for a CPU to loops of vectors, and to the code that LLVM makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import tvm
from tvm import s_tir, tirx
from tvm.tirx.build import codegen_build

from tvmlcnn import bfloat16
from tvmlcnn.targets import Device

from . import ld1
from .extremes import extremes_by_instruction
from .loads_of_vectors import MOST, loads_of_vectors
from .ratios import ratios_by_estimates
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
    if bfloat16.is_in(kernels):
        kernels = bfloat16.as_bits(kernels)
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
        loads_of_vectors(device),
        sums_on_stack(device),
        tirx.transform.CommonSubexprElim(),
        tirx.transform.VerifyMemory(),
        tirx.transform.AnnotateEntryFunc(),
        tirx.transform.MakePackedAPI(),
        tirx.transform.BF16StorageLegalize(),
    ]
    wrapped = tvm.ir.transform.Sequential(passes)(kernels)
    if device.estimates_reciprocals:
        wrapped = ratios_by_estimates(wrapped, device.machine)
    return extremes_by_instruction(wrapped) if device.extremes_of_nan else wrapped


def machine_code(
    kernels: tvm.IRModule, functions: tvm.IRModule, device: Device
) -> tvm.runtime.Module:
    """Return the code of lowered functions, as it can be written to an object file.

    Parameters
    ----------
    kernels : tvm.IRModule
        What the functions were lowered from.
    functions : tvm.IRModule
        As `lowered` returns them, or other entries to the same loops.
    device : Device
    """
    final = s_tir.pipeline.finalize_host_passes()(functions)
    texts = bfloat16.llvm_functions() if bfloat16.is_in(kernels) else []
    if device.loads_at_once(MOST, 0):
        texts += ld1.llvm_functions()
    return codegen_build(_with_texts(final, texts), tvm.target.Target(device.tvm))


def _with_texts(functions: tvm.IRModule, texts: Sequence[str]) -> tvm.IRModule:
    """Return functions, the first of which brings those of LLVM that they may call, as texts."""
    if not texts:
        return functions
    made = dict(functions.functions.items())
    first = next(iter(made))
    text = tvm.ir.StringImm("\n".join(texts))
    body = tirx.AttrStmt("default", "pragma_import_llvm", text, made[first].body)
    made[first] = made[first].with_body(body)
    return tvm.IRModule(made, attrs=functions.attrs)
