"""``tvmlcnn profile``."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from . import completion
from .gpu_profile import print_gpu_profile
from .output import json_option, layers_text, print_facts, print_json, print_table
from .timed_kernels import print_timed_kernels

if TYPE_CHECKING:
    from tvmlcnn.runtime.gpu_profile import GpuProfile
    from tvmlcnn.runtime.profile import Profile

_MODEL_HEADER = ("kcycles", "share", "kinstr", "mla/cycle", "stack k", "rule", "layers")


@click.command("profile")
@click.argument("file", shell_complete=completion.files)
@click.option("--threads", type=int, help="Default: all physical cores.")
@click.option(
    "--seconds", type=click.FloatRange(min=0), default=3.0, show_default=True, help="How long."
)
@click.option(
    "--model",
    "modelled",
    is_flag=True,
    help="Count cycles of a model of an ARM core instead, in emulation, on one thread.",
)
@json_option
def command(file: str, threads: int | None, seconds: float, modelled: bool, as_json: bool) -> None:
    """Time each kernel of the compiled model FILE, in the order in which they run.

    The roofline is the least time that the kernel's operations and bytes take on this machine's
    threads, at the speed of numpy's matrix product and of a sum of arrays of as many bytes, both
    measured in the same run; 100% is a kernel that takes no longer. Where a kernel multiplies
    codes or numbers of 16 bits, it is as many times that speed as the target's instructions do.

    On a GPU times are of its own events, before and behind each kernel of a graph, and the roofline
    is of the figures that its driver gives.

    For a file of another machine, an ARM core that is not here, --model counts what each kernel
    runs in emulation, and the cycles that a model of the core takes for that. They are no time:
    caches, memory, branches foreseen wrongly and other cores are left out.
    """
    if modelled:
        _print_model(file, as_json)
        return
    from tvmlcnn.runtime import load
    from tvmlcnn.runtime.gpu_profile import is_for_gpu, profile_on_gpu
    from tvmlcnn.runtime.profile import profile

    model = load(file, threads)
    if is_for_gpu(model):
        on_gpu = profile_on_gpu(model, seconds)
        if as_json:
            _print_json(on_gpu)
        else:
            print_gpu_profile(on_gpu)
        return
    result = profile(model, seconds)
    if as_json:
        _print_json(result)
        return
    print_timed_kernels(result.kernels)
    flops = sum(kernel.call.flops for kernel in result.kernels)
    moved = sum(kernel.call.bytes for kernel in result.kernels)
    least = sum(kernel.roofline * kernel.us for kernel in result.kernels)
    sizes = result.limits.bandwidth_gbs
    print_facts(
        [
            (
                "kernels",
                f"{result.kernels_us:.0f} us in {len(result.kernels)}, "
                f"{flops / result.kernels_us / 1e3:.1f} GFLOP/s, "
                f"{least / result.kernels_us:.0%} of the roofline, {moved / 1e6:.1f} MB",
            ),
            ("outside of kernels", f"{result.outside_us:.0f} us"),
            ("whole call", f"{result.call_us:.0f} us at least"),
            (
                "this machine",
                f"{result.limits.peak_gflops:.0f} GFLOP/s (numpy's matrix product), "
                + ", ".join(f"{sizes[size]:.0f} GB/s in {text}" for size, text in _SUMS.items()),
            ),
            ("runs", result.rounds),
            ("threads", result.threads),
            *_warning(result.others),
        ]
    )


def _print_json(result: Profile | GpuProfile) -> None:
    kernels = [asdict(kernel.call) | asdict(kernel) for kernel in result.kernels]
    for kernel in kernels:
        del kernel["call"]
    print_json(asdict(result) | {"kernels": kernels})


def _print_model(file: str, as_json: bool) -> None:
    """Print the cycles of a model, and the instructions, of each kernel."""
    from tvmlcnn.analysis.counting import count_file

    counted = count_file(Path(file))
    total = counted.total
    if as_json:
        kernels = [asdict(call) | asdict(figures) for call, figures in counted.kernels]
        outside = asdict(counted.outside)
        print_json({"model": counted.core.model, "kernels": kernels, "outside": outside})
        return
    print_table(
        _MODEL_HEADER,
        (
            (
                f"{figures.cycles / 1e3:.1f}",
                f"{figures.cycles / total.cycles:.1%}",
                f"{figures.instructions / 1e3:.1f}",
                f"{(figures.fmla + figures.dot) / max(figures.cycles, 1):.2f}",
                f"{figures.stack / 1e3:.1f}",
                call.rule,
                layers_text(call.layers, call.function),
            )
            for call, figures in counted.kernels
        ),
        spare=("stack k", "mla/cycle"),
    )
    print_facts(
        [
            (
                "whole call",
                f"{total.cycles / 1e6:.2f} M cycles, {total.instructions / 1e6:.2f} M instructions",
            ),
            ("outside of kernels", f"{counted.outside.cycles / 1e6:.2f} M cycles"),
            ("model", f"{counted.core.model}, of {counted.core.emulated}; one thread"),
            ("left out", "caches, memory, branches foreseen wrongly, other cores: it is no time"),
        ]
    )


def _warning(others: float | None) -> list[tuple[str, str]]:
    if others is None or others < _BUSY:
        return []
    return [("busy", f"other programs took {others:.0%} of the processors' time: mistrust these")]


_BUSY = 0.05  # of the processors' time; as much moves the times of kernels by as much
_SUMS = {1 << 18: "256 KiB", 1 << 21: "2 MiB", 1 << 27: "128 MiB"}
