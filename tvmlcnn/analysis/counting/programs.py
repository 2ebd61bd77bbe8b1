"""QEMU's and LLVM's programs that counting needs."""

from __future__ import annotations

import os
import shutil

from tvmlcnn import emulator
from tvmlcnn.errors import UserError

LLVM = 19
"""The version of LLVM whose models are asked: those of another one give other figures."""

PACKAGES = {
    "qemu-aarch64": "qemu-user",
    "qemu-arm": "qemu-user",
    "llvm-mc": f"llvm-{LLVM}",
    "llvm-mca": f"llvm-{LLVM}",
}
"""The Debian package of each program. QEMU's static programs take no plugins."""


def program(name: str) -> str:
    """Return the path of a program: what ``tools.count`` unpacked, or what is installed.

    Raises
    ------
    UserError
        If it is not there.
    """
    unpacked = emulator.home("counting") / "bin" / name
    if os.access(unpacked, os.X_OK):
        return str(unpacked)
    installed = shutil.which(f"{name}-{LLVM}" if name.startswith("llvm") else name)
    if installed is None:
        packages = " ".join(sorted(set(PACKAGES.values())))
        raise UserError(f"{name} not found, which counting needs: apt-get install {packages}")
    return installed
