"""The threads of a model, compiled for its machine and linked into its file."""

from __future__ import annotations

from pathlib import Path

from tvmlcnn.runtime.thread_pool import SOURCE

from .zig import run_zig

# The oldest glibc that the file is to be loaded on: that of the manylinux2014 wheels.
_GLIBC = "2.17"
_TRIPLES = {
    "x86_64": f"x86_64-linux-gnu.{_GLIBC}",
    "aarch64": f"aarch64-linux-gnu.{_GLIBC}",
    "armv7l": f"arm-linux-gnueabihf.{_GLIBC}",
}
# Tables for unwinding would need a function of libgcc, which not every process has.
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-fno-unwind-tables", "-fno-asynchronous-unwind-tables")


def pool_object(machine: str, folder: Path) -> Path:
    """Compile `tvmlcnn/runtime/c/pool.c` into an object file in ``folder``, and return its path.

    Parameters
    ----------
    machine : str
        ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    folder : Path

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    path = folder / "pool.o"
    command = ["cc", "-target", _TRIPLES[machine], *_FLAGS, "-c", str(SOURCE), "-o", str(path)]
    run_zig(command, folder / "zig")
    return path
