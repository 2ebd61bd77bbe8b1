"""A process that answers for inputs that are wrong, and may die of them."""

from __future__ import annotations

import json
import select
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

from .verdict import CRASHED, HUNG

ROOT = Path(__file__).parents[2]


class Child:
    """A process of a module, and another one where it has died.

    It gets a line of JSON for each input, and answers with one that has an outcome and what was
    said.

    Parameters
    ----------
    module : str
    seconds : float
        In which each input has to be answered, the first one with all imports.
    """

    def __init__(self, module: str, seconds: float) -> None:
        self._module, self._seconds = module, seconds
        self._process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, question: dict[str, Any]) -> tuple[str, str]:
        """Return the outcome of an input, and what was said."""
        if self._process is None:
            command, pipe = [sys.executable, "-m", self._module], subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, start_new_session=True
            )
        process = self._process
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(question) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], self._seconds)[0]:
            self._end()
            return HUNG, f"no answer in {self._seconds:g} s"
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            self._end()
            return CRASHED, signal.Signals(-status).name if status < 0 else f"exit {status}"
        answer = json.loads(line)
        return answer["outcome"], answer["said"]

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            self._process = None
