"""The NVIDIA GPU of the machine at hand, as its driver describes it."""

from __future__ import annotations

from dataclasses import replace

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.nvidia import NoGpuError, find_gpu

from .cuda_capabilities import gpu
from .gpu import Gpu
from .x86 import native

NAME = "cuda-native"


def cuda_native() -> Gpu:
    """Return the first GPU of this machine.

    What the driver says is its own: multiprocessors, clock, memory, caches. The rest is known from
    its compute capability. ``CUDA_VISIBLE_DEVICES`` decides which one is the first.

    Raises
    ------
    UserError
        If there is no driver or no GPU here.
    """
    try:
        here = find_gpu()
    except NoGpuError as error:
        raise UserError(
            f"no target {NAME!r} here: {error}; "
            "name the GPU to compile for (`tvmlcnn targets`), or use 'cuda'"
        ) from error
    host = native()
    found = gpu(
        NAME,
        f"this machine's {here.name}, compute capability {here.capability / 10}, "
        f"{here.multiprocessors} multiprocessors",
        here.capability,
        host.tvm,
        machine=host.machine,
        cores=host.cores,
        multiprocessors=here.multiprocessors,
        l2_bytes=here.l2_bytes,
        clock_ghz=here.clock_ghz,
        bandwidth_gbs=here.bandwidth_gbs,
    )
    return replace(
        found,
        shared_opt_in_bytes=here.shared_opt_in_bytes,
        shared_of_multiprocessor=here.shared_of_multiprocessor,
    )
