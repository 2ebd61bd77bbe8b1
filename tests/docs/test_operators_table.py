"""The tables of operators in the documentation are those of the converters."""

from __future__ import annotations

import importlib.util
from pathlib import Path

TOOL = Path(__file__).parents[2] / "tools" / "operators_table.py"


def test_the_page_has_the_tables() -> None:
    spec = importlib.util.spec_from_file_location("operators_table", TOOL)
    assert spec is not None
    assert spec.loader is not None
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    page = tool.PAGE.read_text("utf-8").partition(tool.BEGIN)[2].partition(tool.END)[0]
    assert page == tool.tables(), "run tools/operators_table.py"
