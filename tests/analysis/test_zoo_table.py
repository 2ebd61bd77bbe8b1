"""The table of the zoo in docs: printed, written between its markers, and checked."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "zoo_table.py"
ROW = "| `squeezenet1_1` | 1,235,496 | 349 M | 58.2 % | Iandola et al. 2016, arXiv:1602.07360 |"
TEXT = "Text.\n\n<!-- zoo -->\nold\n<!-- /zoo -->\n\nMore text.\n"


@pytest.fixture
def tool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Run the tool on a page of its own and a zoo of one network."""
    spec = importlib.util.spec_from_file_location("zoo_table", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "PAGE", tmp_path / "zoo.md")
    monkeypatch.setattr(module, "names", lambda: ["squeezenet1_1"])

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["zoo_table.py", *arguments])
        return module.main()

    return run


def test_writes_between_the_markers_and_nowhere_else(
    tool: Callable[..., int], tmp_path: Path
) -> None:
    page = tmp_path / "zoo.md"
    page.write_text(TEXT)
    assert tool("--check") == 1
    assert page.read_text() == TEXT
    assert tool() == 0
    head, _, rest = page.read_text().partition("<!-- zoo -->\n")
    written, _, tail = rest.partition("<!-- /zoo -->")
    assert (head, tail) == ("Text.\n\n", "\n\nMore text.\n")
    assert written.splitlines()[2:] == [ROW]
    assert tool("--check") == 0


def test_prints_where_there_are_no_markers(
    tool: Callable[..., int], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "zoo.md").write_text("Text.\n")
    assert tool() == 0
    assert ROW in capsys.readouterr().out
    assert (tmp_path / "zoo.md").read_text() == "Text.\n"
    assert tool("--check") == 1
    assert "no <!-- zoo -->" in capsys.readouterr().err
