"""The tables of ATen's operators in docs/operators.md: tools/operators_table.py [--check].

Writes them between the markers ``<!-- operators -->`` and ``<!-- /operators -->``; with --check it
writes nothing and fails if those on the page are others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

import torch

from tvmlcnn.elementwise import BY_ATEN
from tvmlcnn.files import write_whole
from tvmlcnn.frontend.aten import CONVERTERS
from tvmlcnn.frontend.constants import BY_SHAPE
from tvmlcnn.frontend.decompositions import decompositions, name_of
from tvmlcnn.frontend.refusals import REFUSED
from tvmlcnn.schedules import RULES

PAGE = Path(__file__).parent.parent / "docs" / "operators.md"
BEGIN, END = "<!-- operators -->\n", "<!-- /operators -->"

# The rules of CPUs that have kernels for a family of converters, a file of tvmlcnn/frontend/aten.
_RULES = {
    "convolution": ("winograd", "strassen", "dense", "depthwise", "grouped"),
    "products": ("dense", "batched_product"),
    "frames": ("dense", "depthwise"),
    "quantization": ("dense", "depthwise"),
    "attention": ("batched_product", "softmax"),
    "pooling": ("pooling", "reduction", "resample"),
    "normalization": ("normalization", "reduction"),
    "resizing": ("resample",),
    "reductions": ("reduction",),
    "ordering": ("rows",),
}
_SOFTMAX = ("_softmax", "_log_softmax")


def tables() -> str:
    """Return the tables in Markdown.

    Raises
    ------
    ValueError
        If a core operator is neither taken nor refused.
    """
    core = sorted(name_of(operator) for operator in _core_operators())
    apart = {name_of(operator) for operator in decompositions()}
    known = {name_of(operator) for operator in _core_operators() if _is_known(operator)}
    rows, left = [], []
    for name in core:
        if name in CONVERTERS:
            rows.append((name, "taken", _kernels(name)))
        elif name in REFUSED:
            rows.append((name, f"refused: {REFUSED[name]}", ""))
        elif name in apart:
            rows.append((name, "taken apart by torch", ""))
        elif name in known:
            rows.append((name, "computed when compiling", ""))
        else:
            left.append(name)
    if left:
        raise ValueError(f"core operators neither taken nor refused: {', '.join(left)}")
    others = [(name, "taken", _kernels(name)) for name in sorted(set(CONVERTERS) - set(core))]
    refused = [(name, REFUSED[name]) for name in sorted(set(REFUSED) - set(core))]
    return "\n".join(
        [
            "## Core ATen operators\n",
            _table(("operator", "", "kernels"), rows),
            "## Others that are taken whole\n",
            _table(("operator", "", "kernels"), others),
            "## Others that are refused\n",
            _table(("operator", "why"), refused),
        ]
    )


def _table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---" * len(head) + "|"]
    for name, *cells in rows:
        lines.append("| " + " | ".join([f"`{name}`", *cells]) + " |")
    return "\n".join(lines) + "\n"


def _core_operators() -> Iterator[torch._ops.OpOverload]:
    """Yield the functional core operators of ATen that return tensors."""
    # torch.ops.aten itself knows but those that were asked for before.
    names = {
        schema.name.removeprefix("aten::")
        for schema in torch._C._jit_get_all_schemas()
        if schema.name.startswith("aten::")
    }
    for name in sorted(names):
        packet = getattr(torch.ops.aten, name, None)
        for overload in packet.overloads() if hasattr(packet, "overloads") else []:
            operator = getattr(packet, overload)
            tensors = any("Tensor" in str(r.type) for r in operator._schema.returns)
            in_place = packet._qualified_op_name.endswith("_")
            if torch.Tag.core in operator.tags and tensors and overload != "out" and not in_place:
                yield operator


def _is_known(operator: torch._ops.OpOverload) -> bool:
    """Tell whether an operator reads no element of a tensor."""
    tensors = any("Tensor" in str(argument.type) for argument in operator._schema.arguments)
    return not tensors or name_of(operator) in BY_SHAPE


def _kernels(name: str) -> str:
    """Return which rules have kernels for an operator, on CPUs."""
    short = name.partition(".")[0]
    if short in BY_ATEN and BY_ATEN[short].te is not None:
        return "in that of what it follows"
    converter = CONVERTERS[name]
    rules = _RULES.get(converter.__module__.rpartition(".")[2], ())
    rules = ("softmax",) if short in _SOFTMAX else rules
    missing = set(rules) - {rule.name for rule in RULES["cpu"]}
    assert not missing, f"there is no rule {missing}"
    return ", ".join(f"`{rule}`" for rule in rules) if rules else "`default`"


def main() -> int:
    """Write or check the tables; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="fail if the tables are stale")
    check = parser.parse_args().check
    before, begin, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    old, end, after = rest.partition(END)
    if not end:
        print(f"{PAGE.name} has no {BEGIN.strip()} ... {END} for the tables", file=sys.stderr)
        return 1
    new = tables()
    if check and old != new:
        print(f"{PAGE.name}: the tables are stale; run tools/operators_table.py", file=sys.stderr)
        return 1
    if old != new:
        text = before + begin + new + end + after
        write_whole(PAGE, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
