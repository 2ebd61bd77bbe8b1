"""A tracker and its boards: shared work, boards that drop out, and what comes back."""

from __future__ import annotations

import json
import signal
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from lab import Lab, Program, free_boards, until

from tvmlcnn import remote
from tvmlcnn.remote import fleet as fleet_module
from tvmlcnn.remote import tracker, wire
from tvmlcnn.remote.wire import parse_address

pytestmark = pytest.mark.long


@pytest.fixture(autouse=True)
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fleet_module, "_PAUSE", 0.1)


@pytest.fixture
def two(lab: Lab) -> tuple[Program, Program, Program]:
    """A tracker and two boards of the key ``pc``."""
    keeper = lab.tracker()
    boards = [lab.board("--tracker", keeper.address, "--key", "pc") for _ in range(2)]
    until(lambda: len(free_boards(keeper.address, "pc")) == 2)
    return keeper, *boards


def computed(board: remote.Board, library: Path, item: int, kernel: str = "double") -> float:
    with board.session(30 if kernel != "hang" else 1) as session:
        x = session.tensor(np.full(64, item, np.float32))
        session.load(library)[kernel](*[x] * (2 if kernel == "double" else 1))
        return float(session.array(x)[0])


def test_two_boards_work_at_once(
    two: tuple[Program, Program, Program], board_library: Path
) -> None:
    keeper, *programs = two
    together = threading.Barrier(2, timeout=30)
    with remote.boards(tracker=keeper.address, key="pc") as fleet:
        assert {board.name for board in fleet} == {f"pc at {p.address}" for p in programs}
        until(lambda: free_boards(keeper.address, "pc") == [])

        def work(board: remote.Board, item: int) -> float:
            together.wait()
            return computed(board, board_library, item)

        results = dict(fleet.map(work, range(6)))
        assert results == {item: 2 * item for item in range(6)}
        assert fleet.lost == {}
    until(lambda: len(free_boards(keeper.address, "pc")) == 2)
    with remote.boards(tracker=keeper.address, key="pc", parallel=1) as fleet:
        assert len(fleet) == 1


def test_bad_kernels_are_results(
    two: tuple[Program, Program, Program], board_library: Path
) -> None:
    kernels = {1: "crash", 2: "hang"}
    with remote.boards(tracker=two[0].address, key="pc") as fleet:

        def work(board: remote.Board, item: int) -> float:
            return computed(board, board_library, item, kernels.get(item, "double"))

        results = dict(fleet.map(work, range(5)))
        assert isinstance(results.pop(1), remote.KernelCrashed)
        assert isinstance(results.pop(2), remote.KernelTimeout)
        assert results == {0: 0, 3: 6, 4: 8}
        assert len(fleet) == 2


def test_a_board_that_drops_out_is_set_aside(
    two: tuple[Program, Program, Program], board_library: Path
) -> None:
    keeper, doomed, _ = two
    with remote.boards(tracker=keeper.address, key="pc") as fleet:

        def work(board: remote.Board, item: int) -> float:
            if board.name.endswith(doomed.address):
                with board.session(30) as session:
                    x = session.tensor(np.zeros(64, np.float32))
                    doomed.end(signal.SIGKILL)
                    session.load(board_library)["hang"](x)
            until(lambda: len(fleet) == 1)
            return computed(board, board_library, item)

        results = dict(fleet.map(work, range(6)))
        assert results == {item: 2 * item for item in range(6)}
        assert list(fleet.lost) == [f"pc at {doomed.address}"]
        assert "does not answer" in fleet.lost[f"pc at {doomed.address}"]


def test_without_a_board_the_run_ends_with_what_it_has(
    two: tuple[Program, Program, Program], board_library: Path
) -> None:
    results = {}
    with remote.boards(tracker=two[0].address, key="pc") as fleet:

        def work(board: remote.Board, item: int) -> float:
            if item == 4:
                for program in two[1:]:
                    if program.process.poll() is None:
                        program.end(signal.SIGKILL)
            return computed(board, board_library, item)

        run = fleet.map(work, range(50))
        with pytest.raises(remote.BoardLost, match=r"no board is left: .*pc"):  # noqa: PT012
            for item, result in run:
                results[item] = result
        assert len(fleet) == 0
        assert len(fleet.lost) == 2
    computed_before = {i: r for i, r in results.items() if not isinstance(r, remote.BoardLost)}
    assert len(computed_before) >= 3
    assert all(result == 2 * item for item, result in computed_before.items())


def test_work_that_costs_boards_does_not_cost_all(two: tuple[Program, Program, Program]) -> None:
    with remote.boards(tracker=two[0].address, key="pc") as fleet:

        def work(board: remote.Board, item: int) -> int:
            if item == 1:
                raise remote.BoardLost("gone")
            return item

        results = dict(fleet.map(work, range(4)))
        assert isinstance(results.pop(1), remote.BoardLost)
        assert results == {0: 0, 2: 2, 3: 3}
        assert len(fleet) == 2


def test_an_error_of_the_work_reaches_the_caller(two: tuple[Program, Program, Program]) -> None:
    def items() -> Iterator[int]:
        yield 0
        raise KeyError("items")

    with remote.boards(tracker=two[0].address, key="pc") as fleet:
        with pytest.raises(ZeroDivisionError):
            list(fleet.map(lambda board, item: 1 // item, range(3)))
        with pytest.raises(KeyError, match="items"):
            list(fleet.map(lambda board, item: item, items()))


def test_a_board_and_a_tracker_come_back(
    lab: Lab, two: tuple[Program, Program, Program], board_library: Path
) -> None:
    keeper, first, second = two
    first.end(signal.SIGKILL)
    until(lambda: free_boards(keeper.address, "pc") == [second.address])
    third = lab.board("--tracker", keeper.address, "--key", "pc")
    both = sorted((second.address, third.address))
    until(lambda: free_boards(keeper.address, "pc") == both)
    keeper.end(signal.SIGKILL)
    lab.tracker(keeper.port)
    until(lambda: free_boards(keeper.address, "pc") == both)
    with remote.boards(tracker=keeper.address, key="pc") as fleet:
        assert len(fleet) == 2
        assert dict(fleet.map(lambda b, item: computed(b, board_library, item), [1, 2])) == {
            1: 2,
            2: 4,
        }
    assert "trying on" in second.err


def test_a_board_may_come_before_its_tracker(lab: Lab) -> None:
    port = lab.tracker()
    port.end()
    board = lab.board("--tracker", port.address, "--key", "pc")
    until(lambda: "does not answer" in board.err)
    keeper = lab.tracker(port.port)
    until(lambda: free_boards(keeper.address, "pc") == [board.address])
    until(lambda: f"registered as pc with {keeper.address}" in board.err)


def test_a_board_that_is_granted_and_not_used_is_offered_again(lab: Lab) -> None:
    keeper = lab.tracker()
    address = parse_address(keeper.address, "")
    lab.board("--tracker", keeper.address, "--key", "pc")
    first = until(lambda: tracker.request(address, "pc", 10))
    second = until(lambda: tracker.request(address, "pc", 10))
    assert first.address == second.address
    assert first.match_key != second.match_key


def test_waiting_for_a_busy_board(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    keeper = lab.tracker()
    lab.board("--tracker", keeper.address, "--key", "pc")
    until(lambda: free_boards(keeper.address, "pc"))
    with ExitStack() as first:
        first.enter_context(remote.boards(tracker=keeper.address, key="pc"))

        def leave() -> None:
            until(lambda: "all boards 'pc' are busy" in caplog.text)
            first.close()

        other = threading.Thread(target=leave)
        other.start()
        with remote.boards(tracker=keeper.address, key="pc") as fleet:
            assert len(fleet) == 1
        other.join()


def test_a_tracker_without_the_key(two: tuple[Program, Program, Program]) -> None:
    with (
        pytest.raises(remote.BoardLost, match=r"no board 'pi'.*did you mean pc.*it has pc"),
        remote.boards(tracker=two[0].address, key="pi"),
    ):
        pass
    with (
        pytest.raises(remote.BoardLost, match="lent by a tracker: ask that for it"),
        remote.boards(two[1].address),
    ):
        pass
    with (
        pytest.raises(remote.BoardLost, match=r"no tracker answers.*tvmlcnn device tracker"),
        remote.boards(tracker="127.0.0.1:1", key="pc"),
    ):
        pass


def registered(keeper: Program, info: dict[str, Any], *offer: Any) -> socket.socket:
    """Tell a tracker of a server that is none, for as long as the connection is open."""
    connection = tracker.connect(parse_address(keeper.address, ""))
    wire.send_json(connection, [tracker.UPDATE_INFO, info])
    wire.receive_json(connection)
    if offer:
        wire.send_json(connection, [tracker.PUT, *offer])
        wire.receive_json(connection)
    return connection


@pytest.mark.parametrize("parallel", [None, 1])
def test_an_entry_that_is_stale_costs_a_try_on_the_next_board(
    parallel: int | None, lab: Lab
) -> None:
    keeper = lab.tracker()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    info = {"key": "server:pc", "addr": [None, port], "busy": False}
    with registered(keeper, info, "pc", [port, "pc:gone"], None):  # the first that is given out
        board = lab.board("--tracker", keeper.address, "--key", "pc")
        until(lambda: len(free_boards(keeper.address, "pc")) == 2)
        with remote.boards(tracker=keeper.address, key="pc", parallel=parallel) as fleet:
            assert [each.name for each in fleet] == [f"pc at {board.address}"]
            (reason,) = fleet.lost.values()
            assert f"127.0.0.1:{port} does not answer" in reason


def test_a_tracker_lives_on_whatever_it_is_told(lab: Lab) -> None:
    keeper = lab.tracker()
    board = lab.board("--tracker", keeper.address, "--key", "pc")
    until(lambda: free_boards(keeper.address, "pc"))
    address = parse_address(keeper.address, "")
    bad: list[Any] = [
        *([], {}, 3, None, [99], [[]], [tracker.PUT], [tracker.REQUEST, [], "", 1]),
        *([tracker.PUT, "pc", [1, 3], None], [tracker.PUT, "pc", [1, "no colon"], None]),
        *([tracker.REQUEST, "pc", "", "x"], [tracker.UPDATE_INFO, {"key": []}]),
    ]
    raw = [json.dumps(message).encode() for message in bad]
    raw += [b"[" * 100_000, b"\xff\xff", b"1" * 5000, b""]
    for data in raw:
        with tracker.connect(address) as connection, suppress(OSError):
            connection.sendall(struct.pack("<i", len(data)) + data)
            connection.settimeout(0.5)
            connection.recv(1 << 16)
    with tracker.connect(address) as connection:
        connection.sendall(b"\xff" * 100)
    assert keeper.process.poll() is None
    assert free_boards(keeper.address, "pc") == [board.address]
    with remote.boards(tracker=keeper.address, key="pc", parallel=1) as fleet:
        assert fleet[0].name == f"pc at {board.address}"


def test_entries_that_make_no_sense_hide_no_board(lab: Lab) -> None:
    keeper = lab.tracker()
    board = lab.board("--tracker", keeper.address, "--key", "pc")
    until(lambda: free_boards(keeper.address, "pc"))
    wrong: list[dict[str, Any]] = [
        {"key": 3, "addr": ["a", 1]},
        {"key": "server:pc", "addr": ["a", "b"]},
        {"key": "server:pc", "addr": [None, 1], "busy": "often", "facts": 3},
    ]
    with ExitStack() as stack:
        for info in wrong:
            stack.enter_context(registered(keeper, info))
        found = {
            entry.address: entry for entry in tracker.entries(parse_address(keeper.address, ""))
        }
        assert set(found) == {board.address, "127.0.0.1:1"}
        assert (found["127.0.0.1:1"].busy, found["127.0.0.1:1"].facts) == (None, {})
