"""Names and values as a table of HTML, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


def table(title: str, facts: Iterable[tuple[str, object]]) -> str:
    """Return the table; what stands in it may be any text."""
    rows = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th>"
        f"<td style='text-align:left'>{escape(str(value))}</td></tr>"
        for name, value in facts
    )
    return f"<table><caption>{escape(title)}</caption>{rows}</table>"
