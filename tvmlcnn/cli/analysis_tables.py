"""What ``tvmlcnn analyze`` prints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from .output import print_facts, print_table

if TYPE_CHECKING:
    from tvmlcnn.analysis import Analysis, Row, Totals


def print_analysis(analysis: Analysis, by: str) -> None:
    """Print one network: facts, a table by layer or by type, and the guidelines."""
    total, limits, peak = analysis.total, analysis.limits, analysis.peak
    facts: list[tuple[str, object]] = [
        ("model", analysis.source),
        ("input", ", ".join("x".join(map(str, shape)) for shape in analysis.input_shapes)),
        ("parameters", f"{total.parameters:,}"),
        *([] if analysis.dtype == "float32" else [("computed in", analysis.dtype)]),
        ("MACs", f"{total.macs / 1e6:,.2f} M"),
        ("weights", f"{total.weight_bytes / 1e6:,.2f} MB"),
        ("activations", f"{total.activation_bytes / 1e6:,.2f} MB read and written"),
        ("peak memory", f"{peak.bytes / 1e6:,.2f} MB of activations, at {peak.layer}"),
        (
            "memory access",
            f"{total.access_bytes / 1e6:,.2f} MB as written, "
            f"{total.traffic_bytes / 1e6:,.2f} MB when fused",
        ),
        ("intensity", f"{total.intensity:.2f} operations a byte as written"),
    ]
    if limits is not None:
        facts += [
            (
                "target",
                f"{limits.target}: {limits.peak_gflops:g} {limits.unit}, "
                f"{limits.bandwidth_gbs:g} GB/s, "
                f"compute-bound from {limits.ridge:.2f} operations a byte",
            ),
            (
                "least time",
                f"{(total.us or 0) / 1e3:.2f} ms, {analysis.compute_bound_share:.0%} of it "
                "compute-bound",
            ),
        ]
    print_facts(facts)
    _print_layers(analysis) if by == "layer" else _print_types(analysis)
    _print_guidelines(analysis)


_SUMS = ("params", "%", "MACs M", "%", "weights kB", "activations kB", "access kB", "%", "op/B")

_SPARE = ("weights kB", "activations kB", "op/B", "%", "access kB", "output")


def _sums(sums: Totals, whole: Totals) -> list[str]:
    """Return the cells under `_SUMS`, and the least time where there is a target."""
    cells = [
        f"{sums.parameters:,}",
        _percent(sums.parameters, whole.parameters),
        f"{sums.macs / 1e6:,.2f}",
        _percent(sums.macs, whole.macs),
        f"{sums.weight_bytes / 1e3:,.1f}",
        f"{sums.activation_bytes / 1e3:,.1f}",
        f"{sums.access_bytes / 1e3:,.1f}",
        _percent(sums.access_bytes, whole.access_bytes),
        f"{sums.intensity:.2f}",
    ]
    if sums.us is not None and whole.us is not None:
        cells += [f"{sums.us:,.1f}", _percent(sums.us, whole.us)]
    return cells


def _print_types(analysis: Analysis) -> None:
    total = analysis.total
    least = () if total.us is None else ("least µs", "%")
    rows = [*analysis.kinds.items(), ("total", total)]
    print_table(
        ("type", "layers", *_SUMS, *least),
        ((kind, sums.layers, *_sums(sums, total)) for kind, sums in rows),
        _SPARE,
    )


def _print_layers(analysis: Analysis) -> None:
    from tvmlcnn.analysis import totals

    total = analysis.total
    least = () if total.us is None else ("least µs", "%", "bound")

    def cells(row: Row) -> list[object]:
        layer = row.layer
        shape = "x".join(map(str, layer.writes[0].shape))
        limit = [] if row.bound is None else [row.bound.limit]
        return [layer.name, layer.kind, shape, *_sums(totals([row]), total), *limit]

    end = ["total", "", "", *_sums(total, total), *([] if total.us is None else [""])]
    print_table(
        ("layer", "type", "output", *_SUMS, *least),
        [*map(cells, analysis.rows), end],
        _SPARE,
    )


def _print_guidelines(analysis: Analysis) -> None:
    found = analysis.guidelines
    access = analysis.total.access_bytes
    g1, g2 = (f"{_percent(found.excess_bytes[g], access)} % of memory access" for g in ("G1", "G2"))
    print_facts(
        [
            ("G1 equal channels", f"unequal ones cost {g1}"),
            ("G2 few groups", f"groups cost {g2}"),
            ("G3 few branches", f"{found.branches} side by side at most"),
            (
                "G4 few elementwise",
                f"{found.elementwise_share:.1%} of memory access as written, "
                f"{found.fused_elementwise_share:.1%} when fused",
            ),
        ]
    )
    if found.findings:
        print_table(
            ("breaks", "layer", "loss %", "kB", "because"),
            (
                (
                    finding.guideline,
                    " ".join(finding.layers),
                    f"{100 * finding.loss:.1f}",
                    f"{finding.bytes / 1e3:,.1f}",
                    finding.detail,
                )
                for finding in found.findings
            ),
        )


def print_comparison(analyses: Sequence[Analysis]) -> None:
    """Print a row a network."""
    limits = analyses[0].limits
    header = ["model", "layers", "params", "MACs M", "weights MB", "access MB", "fused MB", "op/B"]
    header += ["peak MB", "elementwise %", "breaks"]
    header += [] if limits is None else [f"least ms, {limits.target}", "compute-bound %"]

    def cells(analysis: Analysis) -> list[str]:
        total = analysis.total
        broken = sorted({finding.guideline for finding in analysis.guidelines.findings})
        return [
            analysis.source,
            str(total.layers),
            f"{total.parameters:,}",
            f"{total.macs / 1e6:,.2f}",
            f"{total.weight_bytes / 1e6:,.2f}",
            f"{total.access_bytes / 1e6:,.2f}",
            f"{total.traffic_bytes / 1e6:,.2f}",
            f"{total.intensity:.2f}",
            f"{analysis.peak.bytes / 1e6:,.2f}",
            f"{100 * analysis.guidelines.elementwise_share:.1f}",
            " ".join(broken) or "none",
            *(
                []
                if total.us is None
                else [f"{total.us / 1e3:.2f}", f"{100 * analysis.compute_bound_share:.0f}"]
            ),
        ]

    spare = (
        "elementwise %",
        "op/B",
        "peak MB",
        "fused MB",
        "layers",
        "weights MB",
        "compute-bound %",
    )
    print_table(header, map(cells, analyses), spare)


def _percent(part: float, whole: float) -> str:
    return f"{100 * part / whole:.2f}" if whole else "0.00"
