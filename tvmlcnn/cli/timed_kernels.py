"""The kernels of a profile, as a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .output import layers_text, print_table

if TYPE_CHECKING:
    from tvmlcnn.runtime.profile import KernelTime

_HEADER = ("us", "share", "GFLOP/s", "roofline", "kB", "rule", "layers")


def print_timed_kernels(kernels: Iterable[KernelTime]) -> None:
    """Print a row a kernel."""
    print_table(
        _HEADER,
        (
            (
                f"{kernel.us:.1f}",
                f"{kernel.share:.1%}",
                f"{kernel.gflops:.1f}",
                f"{kernel.roofline:.0%}",
                f"{kernel.call.bytes / 1e3:.0f}",
                kernel.call.rule,
                layers_text(kernel.call.layers, kernel.call.function),
            )
            for kernel in kernels
        ),
        spare=("kB", "GFLOP/s"),
    )
