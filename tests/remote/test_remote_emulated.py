"""A fleet of two emulated Raspberry Pis, and that their times are never shown as a Pi's."""

from __future__ import annotations

from pathlib import Path

import board_kernels
import numpy as np
import pytest
from conftest import Cli
from lab import Lab, free_boards, until

from tvmlcnn import load, remote
from tvmlcnn.targets import DEVICES


@pytest.mark.emulated("aarch64")
def test_two_emulated_raspberry_pis(
    cli: Cli, lab: Lab, small_file: Path, small_arm_file: Path, tmp_path: Path
) -> None:
    keeper = lab.tracker()
    registered = ["--tracker", keeper.address, "--key", "rpi4"]
    boards = {lab.emulated("aarch64", *registered).address for _ in range(2)}
    until(lambda: set(free_boards(keeper.address, "rpi4")) == boards)

    library = board_kernels.build(
        tmp_path / "kernels.so", mtriple="aarch64-unknown-linux-gnu", mcpu="cortex-a72"
    )

    def work(board: remote.Board, kernel: str) -> tuple[str, float]:
        with board.session(5 if kernel == "hang" else 60) as session:
            x = session.tensor(np.ones(64, np.float32))
            session.load(library)[kernel](*[x] * (2 if kernel == "double" else 1))
            return board.name, float(session.array(x)[0])

    with remote.boards(tracker=keeper.address, key="rpi4") as fleet:
        assert [board.facts()["emulated"] for board in fleet] == [True, True]
        assert fleet[0].facts()["machine"] == "aarch64"
        assert "asimddp" not in fleet[0].facts()["features"]
        results = list(fleet.map(work, ["crash", "hang", "double", "double"]))
    kinds = sorted(type(result).__name__ for _, result in results)
    assert kinds == ["KernelCrashed", "KernelTimeout", "tuple", "tuple"]

    until(lambda: len(free_boards(keeper.address, "rpi4")) == 2)
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32), np.float32)
    np.save(tmp_path / "x.npy", x)
    lent = ["--tracker", keeper.address, "--key", "rpi4"]
    assert cli("run", small_arm_file, "--input", "x.npy", "-o", "y.npy", *lent).code == 0
    assert np.abs(np.load(tmp_path / "y.npy") - load(small_file)(x)).max() < 1e-5

    seen = cli("bench", small_arm_file, "--seconds", 0, *lent, "--json").json
    assert seen["device"]["emulated"] is True
    text = cli("bench", small_arm_file, "--seconds", 0, *lent).out
    assert "emulated: these times say nothing about a real board" in text
    assert "emulated cortex-a72" in cli("device", "list", *lent[:2]).out


@pytest.mark.emulated("armv7l-board")
def test_a_32_bit_board(lab: Lab, tmp_path: Path) -> None:
    target = {key: value for key, value in DEVICES["rpi2"].tvm.items() if key != "kind"}
    library = board_kernels.build(tmp_path / "kernels.so", **target)
    with remote.boards(lab.emulated("armv7l-board").address) as (board,):
        assert (board.facts()["machine"], board.facts()["emulated"]) == ("armv7l", True)
        with pytest.raises(remote.KernelCrashed), board.session(60) as session:
            session.load(library)["crash"](session.empty((64,)))
        with board.session(60) as session:
            x = session.tensor(np.arange(64, dtype=np.float32))
            kernels = session.load(library)
            kernels["double"](x, x)
            assert (session.array(x) == 2 * np.arange(64)).all()
            assert session.time(kernels, "double", (x, x), number=2)[0] > 0
