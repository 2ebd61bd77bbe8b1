"""Tables on terminals without room for them: nothing is cut, and what is left out is said."""

from __future__ import annotations

import pytest
from conftest import Cli

from tvmlcnn.cli.output import print_facts, print_table
from tvmlcnn.zoo_listing import listing

HEADER = ("layer", "us", "kB", "what it computes")
ROWS = [
    ("features.0", 12.5, 1024, "pointwise of features.0.{0,1,2} + features.1.conv.0.{0,1,2}"),
    ("classifier", 1.5, 5120, "a" * 90),
]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch):
    """Say how wide the terminal is on which a command prints."""

    def columns(count: int) -> None:
        monkeypatch.setattr("rich.console.Console.is_terminal", True)
        monkeypatch.setenv("COLUMNS", str(count))

    return columns


@pytest.mark.parametrize("columns", [40, 60, 80, 120, 200])
def test_nothing_is_cut(columns: int, terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal(columns)
    print_table(HEADER, ROWS, spare=("kB",))
    shown = capsys.readouterr()
    assert max(map(len, shown.out.splitlines())) <= columns
    assert "…" not in shown.out
    assert ("no room for kB" in shown.err) == ("5120" not in shown.out)
    letters = "".join(shown.out.split())
    for name, us, _, text in ROWS:
        assert name in letters
        assert str(us) in letters
        assert letters.count("a") >= text.count("a")


def test_facts_are_whole(terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal(60)
    print_facts([("a name", "short"), ("file", "/x" * 80)])
    shown = capsys.readouterr().out
    assert max(map(len, shown.splitlines())) <= 60
    assert "".join(shown.split()).endswith("/x" * 80)


def test_a_pipe_has_room_for_all(capsys: pytest.CaptureFixture[str], monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(HEADER, ROWS, spare=("kB", "us"))
    shown = capsys.readouterr()
    assert "a" * 90 in shown.out
    assert "1024" in shown.out
    assert shown.err == ""


@pytest.mark.parametrize("columns", [80, 100])
def test_the_zoo(columns: int, cli: Cli, terminal) -> None:
    terminal(columns)
    lines = cli("models").out.splitlines()
    assert max(map(len, lines)) <= columns
    words = " ".join(lines).replace(",", "").split()
    for entry in listing():
        assert entry.name in words
        assert {f"{name}={value}" for name, value in entry.options.items()} <= set(words)
