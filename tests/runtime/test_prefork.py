"""Servers that fork: workers of a model that their master loaded and used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

CASES = [
    pytest.param("short_threads", marks=pytest.mark.long),
    *(f"{case} {threads}" for case in ("many_calls", "again_and_again") for threads in (0, 1, 3)),
    "workers_of_workers",
    "killed_workers",
    "models_of_workers",
    "pool_of_processes",
    "exits_during_loading",
]


@pytest.mark.parametrize("case", CASES)
def test_a_server_that_forks(small_file: Path, case: str) -> None:
    master = Path(__file__).with_name("prefork_master.py")
    done = subprocess.run(
        [sys.executable, str(master), str(small_file), *case.split()],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
