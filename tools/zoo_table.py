"""The table of the zoo in docs/zoo.md: tools/zoo_table.py [--check].

Writes it between the markers ``<!-- zoo -->`` and ``<!-- /zoo -->``, or to stdout where the page
has none; with --check it writes nothing and fails if the table there is not the zoo's.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from tvmlcnn.analysis import analyze
from tvmlcnn.files import write_whole
from tvmlcnn.models import entries, names

PAGE = Path(__file__).parent.parent / "docs" / "zoo.md"
BEGIN, END = "<!-- zoo -->\n", "<!-- /zoo -->"


def table() -> str:
    """Return the table in Markdown, a row a registered name, counted with its defaults."""
    rows = [
        "| network | parameters | multiply-adds | top-1, published | source |",
        "|---|---:|---:|---:|---|",
    ]
    for name in names():
        entry, total = entries()[name], analyze(name).total
        top1 = "" if entry.top1 is None else f"{entry.top1} %"
        rows.append(
            f"| `{name}` | {total.parameters:,} | {total.macs / 1e6:,.0f} M | {top1} "
            f"| {entry.source} |"
        )
    return "\n".join(rows) + "\n"


def main() -> int:
    """Write, print or check the table; return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="fail if the table is stale")
    check = parser.parse_args().check
    text = PAGE.read_text(encoding="utf-8") if PAGE.exists() else ""
    before, begin, rest = text.partition(BEGIN)
    old, end, after = rest.partition(END)
    if not end:
        if check:
            print(f"{PAGE.name} has no {BEGIN.strip()} ... {END} for the table", file=sys.stderr)
            return 1
        print(table(), end="")
        return 0
    new = table()
    if check and old != new:
        print(f"{PAGE.name}: the table is stale; run tools/zoo_table.py", file=sys.stderr)
        return 1
    if not check and old != new:
        text = before + begin + new + end + after
        write_whole(PAGE, lambda file: file.write(text.encode()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
