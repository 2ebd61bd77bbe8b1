"""``tvmlcnn analyze``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from tvmlcnn.errors import UserError

from . import completion
from .output import json_option, print_facts, print_json, print_table
from .shapes import read_shapes, shapes_option
from .trust import trust_option

if TYPE_CHECKING:
    from tvmlcnn.analysis import Analysis, Row, Totals


@click.command("analyze")
@click.argument(
    "models", metavar="MODEL...", nargs=-1, required=True, shell_complete=completion.models
)
@click.option(
    "--target",
    shell_complete=completion.targets,
    help="Add the least time of each layer on this device.",
)
@shapes_option
@click.option(
    "--by",
    type=click.Choice(["layer", "type"]),
    help="A row a layer, or a row a type of operator. Default for one MODEL: type.",
)
@click.option(
    "--plot",
    "picture",
    metavar="FILE",
    shell_complete=completion.files,
    help="Draw one MODEL as .png or .svg.",
)
@click.option(
    "--profile",
    metavar="FILE",
    shell_complete=completion.files,
    help="What `tvmlcnn profile --json` printed: --plot marks what kernels reach.",
)
@trust_option
@json_option
def command(
    models: tuple[str, ...],
    target: str | None,
    shapes: tuple[str, ...],
    by: str | None,
    picture: str | None,
    trust: bool,
    profile: str | None,
    as_json: bool,
) -> None:
    """Count what MODEL computes and moves; with several, compare them.

    MODEL is what `tvmlcnn compile` takes; it is not run. Memory access is as the network is
    written; the least time on a target is after fusion. Guidelines are those of ShuffleNet V2:
    G1 equal channels, G2 few groups, G3 few branches, G4 few elementwise operators.
    """
    path = None if picture is None else _picture(picture, models)
    if profile is not None and (path is None or target is None):
        raise UserError(
            "--profile is for --plot with a --target, whose roofline it is held against"
        )
    from tvmlcnn.targets import resolve

    device = None if target is None else resolve(target)  # before torch is loaded
    try:
        from tvmlcnn.analysis import analyze, to_json
    except ModuleNotFoundError as error:
        raise UserError(
            f"the analyser needs {error.name}: pip install 'tvmlcnn[compile]'"
        ) from error
    input_shapes = read_shapes(shapes)
    analyses = [analyze(model, device, input_shapes, trust) for model in models]
    if path is not None:
        from tvmlcnn.analysis.layer_plot import write_plot
        from tvmlcnn.analysis.measured import measured

        timed = () if profile is None else measured(analyses[0].rows, Path(profile))
        write_plot(analyses[0], path, timed)
    if as_json:
        data = [to_json(analysis) for analysis in analyses]
        print_json(data if len(data) > 1 else data[0])
        return
    if len(analyses) > 1:
        _print_comparison(analyses)
        if by is None:
            return
    for analysis in analyses:
        _print_analysis(analysis, by or "type")
    if path is not None:
        print_facts([("picture", path)])


def _picture(name: str, models: tuple[str, ...]) -> Path:
    """Return the path of the picture, refused before work is spent on what it would show."""
    path = Path(name)
    if len(models) > 1:
        raise UserError("--plot draws one MODEL; draw each by itself")
    if path.suffix.lower() not in (".png", ".svg"):
        raise UserError(f"--plot {name}: give a name that ends in .png or .svg")
    if not path.parent.is_dir():
        raise UserError(f"--plot {name}: the folder {path.parent} does not exist; create it")
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        raise UserError("--plot needs matplotlib: pip install 'tvmlcnn[plot]'") from error
    return path


def _print_analysis(analysis: Analysis, by: str) -> None:
    total, limits, peak = analysis.total, analysis.limits, analysis.peak
    facts: list[tuple[str, object]] = [
        ("model", analysis.source),
        ("input", ", ".join("x".join(map(str, shape)) for shape in analysis.input_shapes)),
        ("parameters", f"{total.parameters:,}"),
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
                f"{limits.target}: {limits.peak_gflops:g} GFLOP/s, {limits.bandwidth_gbs:g} GB/s, "
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


def _print_comparison(analyses: Sequence[Analysis]) -> None:
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
