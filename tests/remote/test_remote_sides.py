"""The client of a board does without the server's code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tvmlcnn import remote

SERVER = {
    *("caches", "functions", "incoming", "listen", "registration", "serve", "server"),
    *("session_process", "tracker_program"),
}


def test_the_client_does_not_import_the_server() -> None:
    modules = {path.stem for path in Path(remote.__file__).parent.glob("*.py")}
    assert modules > SERVER
    client = sorted(modules - SERVER - {"__init__"})
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module(f'tvmlcnn.remote.{name}')\n"
        "print(*(name.rpartition('.')[2] for name in sys.modules if 'tvmlcnn.remote.' in name))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *client], capture_output=True, text=True, check=True
    )
    assert sorted(done.stdout.split()) == client
