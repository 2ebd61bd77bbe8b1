"""What a shell completes, as bash asks for it."""

from __future__ import annotations

import pytest
from conftest import Cli

CASES = [
    ("compile mobilenet_v", {"mobilenet_v1", "mobilenet_v2", "mobilenet_v3_small"}),
    ("analyze alexnet shufflenet_v2_x1", {"shufflenet_v2_x1_0", "shufflenet_v2_x1_5"}),
    ("compile net.py:Net --target rpi", {"rpi2", "rpi3", "rpi4", "rpi5", "rpi-zero2"}),
    ("tune alexnet --target nat", {"native"}),
    ("records list --rule wino", {"winograd"}),
    ("records list --target ar", {"arm"}),
    ("comp", {"compile"}),
    ("compile alexnet --wei", {"--weights"}),
]


def completed(line: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> set[tuple[str, str]]:
    """Return kinds and texts of what a line may go on with."""
    words = ["tvmlcnn", *line.split()]
    monkeypatch.setenv("_TVMLCNN_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", " ".join(words))
    monkeypatch.setenv("COMP_CWORD", str(len(words) - 1))
    lines = cli().out.splitlines()
    return {(kind, text) for kind, _, text in (line.partition(",") for line in lines) if text}


@pytest.mark.parametrize(("line", "expected"), CASES)
def test_names(line: str, expected: set[str], cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(line, cli, monkeypatch) >= {("plain", text) for text in expected}


@pytest.mark.parametrize(
    "line", ["compile ne", "run ne", "inspect ne", "compile alexnet --weights ne", "run a -o ne"]
)
def test_files(line: str, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed(line, cli, monkeypatch) == {("file", "ne")}


def test_a_target_is_no_file(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    assert completed("compile alexnet --target zzz", cli, monkeypatch) == set()
