"""Counts as tables and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from tvmlcnn.analysis.cuda import MOST_INSTRUCTIONS, MOST_TRAFFIC, Called, NetworkCount
from tvmlcnn.cli.output import layers_text, print_table


def print_networks(counts: Sequence[NetworkCount]) -> None:
    """Print a row a network, and what is to be kept."""
    rows = [
        (
            count.model,
            str(len(count.kernels)),
            f"{count.instruction_ratio:.2f}",
            f"{count.tensor_traffic_ratio:.2f}",
            f"{count.wave_traffic_ratio:.2f}",
            f"{count.block_traffic_ratio:.2f}",
            f"{count.sector_traffic_ratio:.2f}",
            str(sum(kernel.resources.spills > 0 for kernel in count.kernels)),
            str(sum(bool(kernel.uncounted) for kernel in count.kernels)),
        )
        for count in counts
    ]
    rows.append(("bar", "", f"{MOST_INSTRUCTIONS}", "", f"{MOST_TRAFFIC}", "", "", "0", "0"))
    click.echo(f"{counts[0].target}, by {counts[0].compiler}; ratios of counts, which are no times")
    print_table(
        (
            *(
                "network",
                "launches",
                "instructions",
                "traffic: tensors",
                "waves",
                "blocks",
                "warps",
            ),
            *("spilling", "uncounted"),
        ),
        rows,
    )


def print_kernels(count: NetworkCount) -> None:
    """Print a row a launch, in the order in which they run."""
    whole = sum(call.warp_instructions for call in count.calls) or 1
    rows = []
    for call in count.calls:
        for each in call.launches:
            takes = each.resources
            rows.append(
                (
                    f"{each.warp_instructions / 1e3:.1f}",
                    f"{each.warp_instructions / whole:.1%}",
                    _over(32 * each.warp_instructions, call.multiply_adds),
                    f"{each.multiply_adds / 32 / each.warp_instructions:.0%}"
                    if each.warp_instructions
                    else each.uncounted,
                    f"{each.wave_bytes / 1e3:.0f}",
                    _over(each.wave_bytes, call.tensor_bytes),
                    f"{each.block_bytes / 1e3:.0f}",
                    _over(each.block_bytes, call.tensor_bytes),
                    "x".join(map(str, each.launch.grid)),
                    "x".join(map(str, each.launch.block)),
                    f"{takes.registers}",
                    f"{takes.shared_bytes + each.launch.shared}",
                    f"{takes.spills}",
                    f"{each.resident}",
                    call.rule,
                    layers_text(call.layers, call.function),
                )
            )
    click.echo(f"{count.model}, launch by launch; thousands of warps' instructions, of bytes")
    print_table(
        (
            *(
                "instr.",
                "share",
                "ratio",
                "multiplying",
                "waves' kB",
                "ratio",
                "blocks' kB",
                "ratio",
                "grid",
                "block",
            ),
            *("regs", "shared", "spills", "resident", "rule", "layers"),
        ),
        rows,
    )


def _over(value: float, needed: float) -> str:
    return f"{value / needed:.2f}" if needed else ""


def to_json(counts: Sequence[NetworkCount]) -> dict[str, Any]:
    """Return counts as a JSON object."""
    return {"networks": [_network(count) for count in counts]}


def _network(count: NetworkCount) -> dict[str, Any]:
    return {
        "model": count.model,
        "target": count.target,
        "compiler": count.compiler,
        "macs": count.macs,
        "compulsory_bytes": count.compulsory_bytes,
        "instruction_ratio": count.instruction_ratio,
        "traffic_ratios": {
            "tensors": count.tensor_traffic_ratio,
            "waves": count.wave_traffic_ratio,
            "blocks": count.block_traffic_ratio,
            "warps": count.sector_traffic_ratio,
        },
        "kernels": [kernel for call in count.calls for kernel in _launches(call)],
    }


def _launches(call: Called) -> list[dict[str, Any]]:
    return [
        {
            "kernel": each.launch.kernel,
            "layers": call.layers,
            "rule": call.rule,
            "grid": each.launch.grid,
            "block": each.launch.block,
            "instructions": dict(sorted(each.instructions.items())),
            "wave_bytes": each.wave_bytes,
            "block_bytes": each.block_bytes,
            "sector_bytes": each.sector_bytes,
            "registers": each.resources.registers,
            "spills": each.resources.spills,
            "shared_bytes": each.resources.shared_bytes + each.launch.shared,
            "resident_blocks": each.resident,
            "uncounted": each.uncounted,
            "assumed": each.assumed,
        }
        for each in call.launches
    ]
