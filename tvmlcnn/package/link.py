"""Linking object files into a shared library, for any machine, with ziglang's lld."""

from __future__ import annotations

from pathlib import Path

from .zig import run_zig


def link(objects: list[Path], output: Path) -> None:
    """Link object files of one machine into ``output``.

    The library names no library that it needs: the C library and libm, whose functions kernels
    may call, are in every process that loads it.

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    command = ["ld.lld", "-shared", "-z", "noexecstack", "-o", str(output)]
    run_zig([*command, *map(str, objects)])
