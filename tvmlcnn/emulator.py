"""Where the emulated Raspberry Pi is kept; ``tools/emulated_pi.py`` builds it.

The emulator is a folder with an executable ``python``: CPython of the other architecture under
user-mode QEMU, with what the package needs beside it. Which core it is comes from the
environment variable ``QEMU_CPU``.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tvmlcnn.files import scratch


def home(arch: str) -> Path:
    """Return the folder of the emulator of ``arch``, as ``"aarch64"`` or ``"armv7l"``."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "tvmlcnn" / "emulated-pi" / arch


def find(arch: str) -> Path | None:
    """Return the emulator's ``python``, or None where it is not installed."""
    python = home(arch) / "python"
    return python if os.access(python, os.X_OK) else None


@contextmanager
def environment(cpu: str | None = None) -> Iterator[dict[str, str]]:
    """Yield the environment in which the emulator's ``python`` imports this very ``tvmlcnn``.

    Only the package itself is put on the path, through a link in a temporary folder: what lies
    beside it may be this machine's wheels, which would shadow the other machine's.

    Parameters
    ----------
    cpu : str, optional
        QEMU's name of the core (``"cortex-a53"``); by default ``QEMU_CPU``, then the emulator's.
    """
    with scratch("tvmlcnn-path-") as folder:
        Path(folder, "tvmlcnn").symlink_to(Path(__file__).resolve().parent)
        paths = [str(folder), os.environ.get("PYTHONPATH", "")]
        yield {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, paths)),
            **({"QEMU_CPU": cpu} if cpu else {}),
        }
