"""``device``, and ``run`` and ``bench`` with ``--device``, as a user calls them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from lab import Lab, free_boards, until

from tvmlcnn.remote import serve, tracker_program
from tvmlcnn.remote.listen import listen
from tvmlcnn.remote.server import Server


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    path = tmp_path / "x.npy"
    np.save(path, np.random.default_rng(0).standard_normal((1, 3, 32, 32), np.float32))
    return path


def test_run_gives_what_it_gives_here(
    cli: Cli, lab: Lab, small_file: Path, photo: Path, tmp_path: Path
) -> None:
    here = cli("run", small_file, "--input", photo, "-o", "here.npy")
    there = cli(
        "run", small_file, "--input", photo, "-o", "there.npy", "--device", lab.board().address
    )
    assert (there.code, there.out) == (0, here.out)
    assert (np.load(tmp_path / "here.npy") == np.load(tmp_path / "there.npy")).all()


@pytest.mark.long
def test_bench(cli: Cli, lab: Lab, small_file: Path) -> None:
    keeper = lab.tracker()
    lab.board("--tracker", keeper.address, "--key", "pc")
    until(lambda: free_boards(keeper.address, "pc"))
    options = ["--seconds", 0.1, "--threads", 1, "--tracker", keeper.address, "--key", "pc"]
    seen = cli("bench", small_file, *options, "--json").json
    assert 0 < seen["min"] <= seen["p50"] <= seen["p90"] <= seen["p99"]
    assert seen["threads"] == 1
    assert seen["device"]["name"].startswith("pc at 127.0.0.1:")
    assert seen["device"]["emulated"] is False
    text = cli("bench", small_file, *options).out
    assert "pc at 127.0.0.1:" in text
    assert "emulated" not in text
    here = cli("bench", small_file, "--seconds", 0, "--json").json
    assert here["device"]["name"] == "this machine"
    assert set(here) == set(seen)


@pytest.mark.long
def test_list(cli: Cli, lab: Lab) -> None:
    keeper = lab.tracker()
    assert cli("device", "list", "--tracker", keeper.address, "--json").json == {"boards": []}
    board = lab.board("--tracker", keeper.address, "--key", "pc")
    until(lambda: free_boards(keeper.address, "pc"))
    (entry,) = cli("device", "list", "--tracker", keeper.address, "--json").json["boards"]
    assert (entry["key"], entry["address"], entry["busy"]) == ("pc", board.address, False)
    assert entry["emulated"] is False
    assert entry["cores"] >= 1
    (row,) = (
        line
        for line in cli("device", "list", "--tracker", keeper.address).out.splitlines()
        if board.address in line
    )
    assert row.split()[:4] == ["pc", board.address, "free", entry["machine"]]


def test_serve_says_what_it_means_to_be_reached(
    cli: Cli, lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert lab.board().err == ""
    # No test really listens to the network.
    monkeypatch.setattr(serve, "listen", lambda host, port: listen("127.0.0.1", 0))
    monkeypatch.setattr(Server, "serve", lambda self: None)
    monkeypatch.setattr(tracker_program, "load", lambda: None)
    monkeypatch.setattr(tracker_program, "serve", lambda program, listener: None)
    for verb in ("serve", "tracker"):
        seen = cli("device", verb, "--host", "0.0.0.0")
        (line,) = seen.err.splitlines()
        assert "no authentication" in line
        assert "USER@HOST" in line
        assert seen.out.startswith("serving on 0.0.0.0:")


def test_mistakes_of_serving(cli: Cli, lab: Lab) -> None:
    port = lab.board().port
    for verb in ("serve", "tracker"):
        error = cli("device", verb, "--port", port).error
        assert f"port {port} is in use; choose another" in error
        assert error.endswith("(--port)")
        error = cli("device", verb, "--host", "192.0.2.1").error
        assert "address of this machine" in error
        assert error.endswith("(--host)")
        assert "Invalid value for '--port'" in cli("device", verb, "--port", 70000).error
    assert "go together (--tracker, --key)" in cli("device", "serve", "--key", "pc").error
    error = cli("device", "serve", "--key", "pc", "--tracker", "pc").error
    assert "HOST:PORT" in error
    assert error.endswith("(--tracker)")
    assert cli("device", "list", "--tracker", "pc").error.endswith("(--tracker)")
    far = ["--key", "pc", "--tracker", "192.0.2.1:9190"]
    error = cli("device", "serve", *far).error
    assert "cannot reach 127.0.0.1" in error
    assert error.endswith("(--host)")
    assert "TVM_USE_RUNTIME_LIB" not in os.environ  # only in the tracker's own process
    assert "no tracker answers" in cli("device", "list", "--tracker", "127.0.0.1:1").error


def test_mistakes_of_using(
    cli: Cli, lab: Lab, small_file: Path, small_arm_file: Path, board_library: Path, tmp_path: Path
) -> None:
    board = lab.board().address
    for verb in (["run", "--random"], ["bench"]):
        wrong = cli(*verb, small_arm_file, "--device", board).error
        assert f"on {board}: small-arm.so was compiled for aarch64" in wrong
        assert "not one that tvmlcnn compiled" in cli(*verb, board_library, "--device", board).error
        assert "no such" in cli(*verb, "none.so", "--device", board).error.lower()
        many = cli(*verb, small_file, "--device", board, "--threads", 1000).error
        assert f"on {board}: threads=1000" in many
        assert "does not answer" in cli(*verb, small_file, "--device", "127.0.0.1:1").error
        assert "go together (--tracker, --key)" in cli(*verb, small_file, "--key", "pc").error
        twice = ["--device", board, "--tracker", board, "--key", "pc"]
        assert "(--device, --tracker)" in cli(*verb, small_file, *twice).error
        assert "ssh/config (--device)" in cli(*verb, small_file, "--device", "pi@board:22").error
    np.save(tmp_path / "wrong.npy", np.zeros((1, 3, 4, 4), np.float32))
    assert (
        "the model takes" in cli("run", small_file, "--input", "wrong.npy", "--device", board).error
    )


def test_a_board_without_room(cli: Cli, lab: Lab, small_file: Path) -> None:
    board = lab.limited(1).address
    error = cli("bench", small_file, "--device", board).error
    assert f"on {board}: cannot store small.so" in error
    assert "make room" in error
