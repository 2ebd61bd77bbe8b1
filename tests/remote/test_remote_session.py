"""One board: sessions that work, crash, hang, and a board that is gone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lab import Lab, Program, alive, children, until

from tvmlcnn import UserError, remote

X = np.arange(64, dtype=np.float32)


def doubled(board: remote.Board, library: Path) -> np.ndarray:
    with board.session(30) as session:
        x, y = session.tensor(X), session.empty((64,))
        session.load(library)["double"](x, y)
        return session.array(y)


def call(board: remote.Board, library: Path, kernel: str, timeout: float) -> None:
    with board.session(timeout) as session:
        session.load(library)[kernel](session.tensor(X))


def test_a_kernel_computes_and_is_timed(board_library: Path) -> None:
    with remote.boards() as (board,):
        assert board.name == "this machine"
        with board.session(30) as session:
            session.threads(1)
            library = session.load(board_library)
            x, y = session.tensor(X), session.empty((64,))
            times = session.time(library, "double", (x, y), number=5, repeat=3)
            assert len(times) == 3
            assert all(0 < seconds < 1 for seconds in times)
            assert (session.array(y) == 2 * X).all()
            assert session.upload(board_library) == session.upload(board_library)
            for dtype in ("int8", "float64"):
                back = session.array(session.tensor(X.astype(dtype)))
                assert back.dtype == dtype
                assert (back == X.astype(dtype)).all()


def test_a_crash_ends_only_its_session(lab: Lab, board_library: Path) -> None:
    with remote.boards(lab.board().address) as (board,):
        for _ in range(2):
            with pytest.raises(remote.KernelCrashed, match="SIGSEGV"):
                call(board, board_library, "crash", 30)
            assert (doubled(board, board_library) == 2 * X).all()


def test_a_hang_ends_in_time_and_leaves_nothing(lab: Lab, board_library: Path) -> None:
    server = lab.board()
    with remote.boards(server.address) as (board,):
        start = time.monotonic()
        with pytest.raises(remote.KernelTimeout, match="too long"):
            call(board, board_library, "hang", 1)
        assert 0.9 < time.monotonic() - start < 10
        assert children(server.process.pid) == []
        assert (doubled(board, board_library) == 2 * X).all()


NEVER_STARTS = """
import os, time
from tvmlcnn.remote import session_process
session_process._STARTING = 0.5
fork, forks = os.fork, []
def first_hangs():
    forks.append(None)
    if not (pid := fork()) and len(forks) == 1:
        time.sleep(600)
    return pid
os.fork = first_hangs
"""


@pytest.mark.long
def test_a_process_that_never_starts_ends_soon(lab: Lab, board_library: Path) -> None:
    """As a fork may that inherits a lock; the session itself may take as long as it asked for."""
    server = lab.patched(NEVER_STARTS)
    with remote.boards(server.address) as (board,):
        start = time.monotonic()
        with pytest.raises(remote.BoardLost, match="refused a session"):
            doubled(board, board_library)
        assert time.monotonic() - start < 10
        until(lambda: not children(server.process.pid))
        with board.session(30) as session:
            time.sleep(1.5)  # longer than it may take to start
            session.load(board_library)["double"](session.tensor(X), session.empty((64,)))


def test_more_sessions_than_tvm_has_room_for(board_library: Path) -> None:
    with remote.boards() as (board,):
        for _ in range(40):
            with board.session(30) as session:
                session.load(board_library)
        assert (doubled(board, board_library) == 2 * X).all()


def test_an_error_of_the_kernel_is_the_callers(lab: Lab, board_library: Path) -> None:
    with remote.boards(lab.board().address) as (board,):
        with pytest.raises(RuntimeError, match="expected 64"), board.session() as session:
            session.load(board_library)["crash"](session.empty((3,)))
        with pytest.raises(KeyError), board.session():
            raise KeyError
        assert (doubled(board, board_library) == 2 * X).all()


def test_a_board_that_is_gone_and_comes_back(lab: Lab, board_library: Path) -> None:
    server = lab.board()
    with remote.boards(server.address) as (board,):
        session = board.session(30)
        session.__enter__().load(board_library)
        server.end(signal.SIGKILL)
        with pytest.raises(remote.BoardLost, match=server.address):
            session.__exit__(None, None, None)
        with pytest.raises(remote.BoardLost, match="does not answer"):
            doubled(board, board_library)
        lab.device("serve", "--port", server.port)
        assert (doubled(board, board_library) == 2 * X).all()


@pytest.mark.long
def test_one_client_at_a_time(lab: Lab, board_library: Path) -> None:
    server = lab.board()
    with (
        remote.boards(server.address),
        pytest.raises(remote.BoardLost, match="busy"),
        remote.boards(server.address),
    ):
        pass
    with remote.boards(server.address) as (board,):
        assert (doubled(board, board_library) == 2 * X).all()


def hanging_client(server: Program, library: Path) -> subprocess.Popen[bytes]:
    code = (
        "import sys, numpy; from tvmlcnn import remote\n"
        "with remote.boards(sys.argv[1]) as (board,), board.session() as session:\n"
        "    x = session.tensor(numpy.zeros(64, 'float32'))\n"
        "    session.load(sys.argv[2])['hang'](x)\n"
    )
    client = subprocess.Popen([sys.executable, "-c", code, server.address, library])
    until(lambda: children(server.process.pid))
    return client


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_client_that_is_killed_leaves_nothing(number: int, lab: Lab, board_library: Path) -> None:
    server = lab.board()
    client = hanging_client(server, board_library)
    client.send_signal(number)
    client.wait()
    until(lambda: not children(server.process.pid))
    with remote.boards(server.address) as (board,):
        assert (doubled(board, board_library) == 2 * X).all()


@pytest.mark.long
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_that_is_ended_leaves_nothing(number: int, lab: Lab, board_library: Path) -> None:
    server = lab.board()
    client = hanging_client(server, board_library)
    (child,) = children(server.process.pid)
    code = server.end(number)
    assert (code, server.err) == ((-9, "") if number == signal.SIGKILL else (0, ""))
    until(lambda: not alive(child))
    assert client.wait(30) != 0


def test_the_server_of_this_machine_ends_with_its_client() -> None:
    code = (
        "import os, signal; from tvmlcnn import remote\n"
        "with remote.boards() as (board,), board.session():\n"
        "    pid = os.getpid()\n"
        "    print(open(f'/proc/{pid}/task/{pid}/children').read(), flush=True)\n"
        "    os.kill(pid, signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    (server,) = map(int, done.stdout.split())
    until(lambda: not alive(server))


def test_the_server_loads_neither_torch_nor_the_compiler(lab: Lab, board_library: Path) -> None:
    server = lab.board()
    with remote.boards(server.address) as (board,), board.session(30) as session:
        session.load(board_library)
        for pid in (server.process.pid, *children(server.process.pid)):
            maps = Path(f"/proc/{pid}/maps").read_text()
            assert "libtvm_runtime.so" in maps
            assert "libtvm_compiler" not in maps
            assert "torch" not in maps


def test_a_session_needs_the_word_of_the_server(lab: Lab) -> None:
    """Who has not taken the board can start no process on it, and garbage does not harm it."""
    from tvmlcnn.remote import wire

    server = lab.board()
    address = wire.parse_address(server.address, "")
    with remote.boards(server.address):
        for key in ("", "0" * 32, "ü"):
            with wire.connect(address, 10) as connection:
                assert wire.greet(connection, key) in (wire.BUSY, wire.MISMATCH)
        for garbage in (b"GET / HTTP/1.0\r\n\r\n", b"\x71\xf2\x0f\x00\xff\xff\xff\xff", b""):
            with wire.connect(address, 10) as connection:
                connection.sendall(garbage)
        assert children(server.process.pid) == []
    with remote.boards(server.address) as (board,):
        assert board.facts()["machine"] == os.uname().machine


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"device": "board:0"}, "HOST:PORT"),
        ({"device": "board:99999"}, "HOST:PORT"),
        ({"tracker": "board"}, "go together"),
        ({"tracker": "board", "key": "rpi4"}, "tracker 'board': give HOST:PORT"),
        ({"device": "a:1", "tracker": "b:1", "key": "c"}, "either"),
        ({"device": "pi@board:22"}, "~/.ssh/config"),
        ({"device": "127.0.0.1:1"}, "127.0.0.1:1 does not answer .*refused.*device serve"),
        ({"device": "no.such.host.invalid:9090"}, "does not answer"),
    ],
)
def test_mistakes(arguments: dict[str, str], words: str) -> None:
    with pytest.raises(UserError, match=words) as seen, remote.boards(**arguments):
        pass
    assert "\n" not in str(seen.value)
