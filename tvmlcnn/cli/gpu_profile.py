"""The profile of a model for a GPU, as a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .output import print_facts
from .timed_kernels import print_timed_kernels

if TYPE_CHECKING:
    from tvmlcnn.runtime.gpu_profile import GpuProfile


def print_gpu_profile(result: GpuProfile) -> None:
    """Print a row a kernel, and the sums."""
    print_timed_kernels(result.kernels)
    gpu = result.gpu
    flops = sum(kernel.call.flops for kernel in result.kernels)
    least = sum(kernel.roofline * kernel.us for kernel in result.kernels)
    figures = [
        *([f"{gpu.peak_gflops:.0f} GFLOP/s"] if gpu.peak_gflops else []),
        *([f"{gpu.bandwidth_gbs:.0f} GB/s"] if gpu.bandwidth_gbs else []),
    ]
    print_facts(
        [
            (
                "kernels",
                f"{result.kernels_us:.0f} us in {len(result.kernels)}, "
                f"{flops / result.kernels_us / 1e3:.1f} GFLOP/s, "
                f"{least / result.kernels_us:.0%} of the roofline",
            ),
            ("gaps between them", f"{result.gaps_us:.0f} us"),
            ("as one graph", f"{result.graph_us:.0f} us, with copies of inputs and outputs"),
            ("whole call", f"{result.call_us:.0f} us at least"),
            ("GPU", f"{gpu.name}, {', '.join(figures) or 'whose speed is not known'}"),
            ("runs", result.rounds),
        ]
    )
