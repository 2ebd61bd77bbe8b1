"""A board with a token: for those who have it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import Cli
from lab import Lab, free_boards, until

from tvmlcnn import UserError, remote
from tvmlcnn.remote.token import read_token

TOKEN = "correct-horse-battery-staple"


@pytest.fixture
def token(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text(f"{TOKEN}\n")
    return path


def test_who_has_the_token_is_served(
    cli: Cli, lab: Lab, small_file: Path, token: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    board = lab.board("--token-file", token)
    run = ["run", small_file, "--random", "--device", board.address]
    assert cli(*run, "--token-file", token).code == 0
    monkeypatch.setenv("TVMLCNN_TOKEN_FILE", str(token))
    assert cli(*run).code == 0
    with remote.boards(board.address, token_file=token) as (board_,), board_.session(30) as session:
        session.threads(1)
    assert TOKEN not in board.err


@pytest.mark.parametrize("other", [TOKEN[:-1], f"{TOKEN}x", TOKEN.upper(), "x" * 256])
def test_who_has_another_is_not(
    other: str, cli: Cli, lab: Lab, small_file: Path, token: Path, tmp_path: Path
) -> None:
    (tmp_path / "other").write_text(other)
    bench = ["bench", small_file, "--device", lab.board("--token-file", token).address]
    for options in ([], ["--token-file", tmp_path / "other"]):
        error = cli(*bench, *options).error
        assert "for those who have its token" in error
        assert error.endswith("(--token-file)")
        assert TOKEN not in error


@pytest.mark.long
def test_boards_of_a_tracker_ask_for_it_too(lab: Lab, token: Path) -> None:
    keeper = lab.tracker()
    lab.board("--tracker", keeper.address, "--key", "pc", "--token-file", token)
    until(lambda: free_boards(keeper.address, "pc"))
    with remote.boards(tracker=keeper.address, key="pc", token_file=token) as fleet:
        assert len(fleet) == 1
    until(lambda: free_boards(keeper.address, "pc"))
    with (
        pytest.raises(remote.BoardLost, match="its token"),
        remote.boards(tracker=keeper.address, key="pc"),
    ):
        pass


def test_a_board_without_a_token_serves_who_has_one(lab: Lab, token: Path) -> None:
    """As the variable of the environment names it for all boards."""
    with remote.boards(lab.board().address, token_file=token) as fleet:
        assert len(fleet) == 1


@pytest.mark.parametrize(
    "text", ["", "short", "two words that are long enough", "x" * 257, "ü" * 20, "x" * 20 + "\0"]
)
def test_what_is_no_token(text: str, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "token"
    path.write_text(text, "utf-8")
    with pytest.raises(UserError, match="holds no token"):
        read_token(path)
    assert cli("device", "serve", "--token-file", path).error.endswith("(--token-file)")
    assert "cannot read none" in cli("device", "serve", "--token-file", "none").error
