"""Boards and trackers on loopback, each a process as a user starts it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tvmlcnn import emulator
from tvmlcnn.remote import tracker
from tvmlcnn.remote.wire import parse_address

PATIENCE = 60.0
"""Seconds; emulated boards on a busy machine start slowly."""


class Program:
    """A running ``tvmlcnn device ...``.

    Attributes
    ----------
    address : str
        ``HOST:PORT`` where it listens.
    """

    def __init__(self, command: Sequence[str | Path], env: dict[str, str] | None) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        # Elsewhere than in the checkout, whose packages an emulated python must not see.
        self.process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
            env=env,
            cwd=tempfile.gettempdir(),
        )
        assert self.process.stdout
        line = self.process.stdout.readline()
        assert line.startswith("serving on "), (line, self.err)
        self.address = line.split()[-1]

    @property
    def port(self) -> str:
        return self.address.rpartition(":")[2]

    @property
    def err(self) -> str:
        """What it has printed on stderr."""
        self._log.seek(0)
        return self._log.read().decode()

    def end(self, number: int = signal.SIGTERM) -> int:
        """End it and return its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def close(self) -> None:
        if self.process.poll() is None:
            self.end(signal.SIGKILL)
        assert self.process.stdout
        self.process.stdout.close()
        self._log.close()


class Lab(ExitStack):
    """Starts programs, which end with it."""

    def device(
        self,
        *arguments: str,
        python: str | Path = sys.executable,
        env: dict[str, str] | None = None,
    ) -> Program:
        """Start ``tvmlcnn device`` on this machine."""
        return self._start([python, "-m", "tvmlcnn", "device", *arguments], env)

    def board(self, *arguments: str) -> Program:
        return self.device("serve", "--port", "0", *arguments)

    def patched(self, code: str) -> Program:
        """Start a board after some code has run in its process."""
        serve = "import runpy; runpy.run_module('tvmlcnn', run_name='__main__')"
        arguments = ["device", "serve", "--port", "0"]
        return self._start([sys.executable, "-c", f"{code}\n{serve}", *arguments], None)

    def limited(self, kilobytes: int) -> Program:
        """Start a board on which no file can be larger."""
        serve = f"exec {sys.executable} -m tvmlcnn device serve --port 0"
        return self._start(["bash", "-c", f"ulimit -f {kilobytes}; {serve}"], None)

    def tracker(self, port: str = "0") -> Program:
        return self.device("tracker", "--port", port)

    def emulated(self, arch: str, *arguments: str) -> Program:
        """Start a board in the emulator."""
        python = emulator.find(arch)
        assert python
        env = self.enter_context(emulator.environment())
        serve = ["-m", "tvmlcnn", "device", "serve", "--port", "0"]
        return self._start([python, *serve, *arguments], env)

    def _start(self, command: Sequence[str | Path], env: dict[str, str] | None) -> Program:
        program = Program(command, env)
        self.callback(program.close)
        return program


def until(condition: Callable[[], Any], seconds: float = PATIENCE) -> Any:
    """Return what a condition gives when it is true; fail where it never is."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.05)
    return found


def free_boards(address: str, key: str) -> list[str]:
    """Return the addresses of the free boards of a key."""
    entries = tracker.entries(parse_address(address, "tracker"))
    return [entry.address for entry in entries if entry.key == key and not entry.busy]


def children(pid: int) -> list[int]:
    """Return the processes that a process has started."""
    path = Path(f"/proc/{pid}/task/{pid}/children")
    return [int(child) for child in path.read_text().split()]


def descendants(pid: int) -> list[int]:
    """Return the processes that a process has started, and those that these have."""
    try:
        direct = children(pid)
    except (FileNotFoundError, ProcessLookupError):  # it has ended in the meantime
        return []
    return direct + [each for child in direct for each in descendants(child)]


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
