"""``--device user@host``: through a throw-away sshd on loopback, run as the current user."""

from __future__ import annotations

import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import Cli
from lab import until

from tvmlcnn import load, remote
from tvmlcnn.runtime import machine

SSHD = shutil.which("sshd", path=f"{os.environ['PATH']}:/usr/sbin")
pytestmark = [
    pytest.mark.system,
    pytest.mark.skipif(SSHD is None, reason="no sshd: apt-get install openssh-server"),
]

HOST = f"{getpass.getuser()}@127.0.0.1"
VENV = f"{HOST}:{sys.prefix}"

SERVER = """
ListenAddress 127.0.0.1:{port}
HostKey {folder}/host
AuthorizedKeysFile {folder}/mine.pub
PasswordAuthentication no
KbdInteractiveAuthentication no
StrictModes no
UsePAM no
PidFile none
{environment}
"""
CLIENT = """
Host *
Port {port}
IdentityFile {folder}/mine
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile {folder}/known
"""


@pytest.fixture
def sshd(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A running sshd, and an ``ssh`` that knows it; yields the folder of its files."""
    if os.geteuid() == 0:
        Path("/run/sshd").mkdir(exist_ok=True)  # where root's sshd locks itself in
    folder = tmp_path / "ssh"
    folder.mkdir()
    for key in ("host", "mine", "other"):
        make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / key]
        subprocess.run(make, check=True)
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    path = os.environ.get("PYTHONPATH")
    environment = f"SetEnv PYTHONPATH={path}" if path else ""
    (folder / "server").write_text(SERVER.format(folder=folder, port=port, environment=environment))
    public = " ".join((folder / "host.pub").read_text().split()[:2])
    (folder / "known").write_text(f"[127.0.0.1]:{port} {public}\n")
    assert SSHD
    daemon = subprocess.Popen(
        [SSHD, "-D", "-e", "-f", folder / "server"], stderr=(folder / "log").open("w")
    )
    # The configuration is not the user's own.
    ssh = folder / "bin" / "ssh"
    ssh.parent.mkdir()
    ssh.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F {folder}/client "$@"\n')
    ssh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{ssh.parent}:{os.environ['PATH']}")
    (folder / "client").write_text(CLIENT.format(folder=folder, port=port))
    until(lambda: "listening" in (folder / "log").read_text())
    yield folder
    daemon.terminate()
    daemon.wait()


def servers() -> list[int]:
    """Return the processes of servers and of ssh that started one."""
    # Whole lines, also where COLUMNS says that a terminal is narrow.
    done = subprocess.run(
        ["ps", "-ww", "-eo", "pid,args"], capture_output=True, text=True, check=True
    )
    lines = (line for line in done.stdout.splitlines() if "--starter /tmp/tvmlcnn-" in line)
    return [int(line.split()[0]) for line in lines]


def test_run_over_ssh_leaves_nothing(
    sshd: Path, cli: Cli, small_file: Path, tmp_path: Path
) -> None:
    sockets = set(Path("/tmp").glob("tvmlcnn-*.socket"))
    x = np.random.default_rng(0).standard_normal((1, 3, 32, 32), np.float32)
    np.save(tmp_path / "x.npy", x)
    done = cli("run", small_file, "--input", "x.npy", "-o", "y.npy", "--device", VENV)
    assert (done.code, done.err) == (0, "")
    assert (np.load(tmp_path / "y.npy") == load(small_file)(x)).all()
    assert cli("bench", small_file, "--seconds", 0, "--device", VENV, "--json").json["device"] == {
        "name": HOST,
        "model": machine.model(),
        "emulated": False,
    }
    until(lambda: not servers())
    assert set(Path("/tmp").glob("tvmlcnn-*.socket")) <= sockets


def test_a_crash_and_a_hang_over_ssh(sshd: Path, board_library: Path) -> None:
    with remote.boards(VENV) as (board,):
        assert board.name == HOST
        for kernel, error in (("crash", remote.KernelCrashed), ("hang", remote.KernelTimeout)):
            with pytest.raises(error), board.session(2) as session:  # noqa: PT012
                x = session.tensor(np.zeros(64, np.float32))
                session.load(board_library)[kernel](x)
        with board.session(30) as session:
            x = session.tensor(np.ones(64, np.float32))
            session.load(board_library)["double"](x, x)
            assert (session.array(x) == 2).all()


def test_a_killed_client_leaves_nothing(sshd: Path) -> None:
    code = (
        "import os, signal, sys; from tvmlcnn import remote\n"
        "with remote.boards(sys.argv[1]) as (board,), board.session():\n"
        "    print('ready', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, VENV], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, "ready\n"), done.stderr
    until(lambda: not servers())


def test_a_lost_connection(sshd: Path) -> None:
    with remote.boards(VENV) as (board,):
        with pytest.raises(remote.BoardLost), board.session(30) as session:  # noqa: PT012
            running = servers()
            assert running
            for pid in running:
                os.kill(pid, signal.SIGTERM)
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline:  # until it has ended
                session.empty((4,))
                time.sleep(0.05)
        with board.session(30) as session:
            session.empty((4,))


def test_mistakes(sshd: Path, cli: Cli, small_file: Path, tmp_path: Path) -> None:
    def error(device: str) -> str:
        return cli("bench", small_file, "--device", device).error

    assert "give USER@HOST or USER@HOST:VENV" in error(f"{HOST}:22")
    assert "there is no tvmlcnn with `device serve` in /none" in error(f"{HOST}:/none")
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    assert "there is no tvmlcnn with `device serve`" in error(f"{HOST}:{bare}")
    assert "ssh failed" in error("nobody@no.such.host.invalid")
    config = (sshd / "client").read_text()
    (sshd / "client").write_text(config.replace("/mine", "/other"))
    refused = error(VENV)
    assert "Permission denied" in refused
    assert f"`ssh {HOST}` must work without a password" in refused
    (sshd / "client").write_text(config.replace("/known", "/unknown"))
    assert "Host key verification failed" in error(VENV)
    (sshd / "client").write_text(config.replace("Port ", "Port 1 #"))
    assert "refused" in error(VENV)
