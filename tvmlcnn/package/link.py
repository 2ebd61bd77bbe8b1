"""Linking object files into a shared library, for any machine, with ziglang's lld."""

from __future__ import annotations

from pathlib import Path

from . import c_library
from .zig import run_zig


def link(objects: list[Path], output: Path, exports: str = "tvmlcnn_*") -> None:
    """Link object files of one machine into a library that needs no other one.

    Parameters
    ----------
    objects : list of Path
    output : Path
    exports : str
        What the names of the functions begin with that are seen outside: those of ``tvmlcnn.h``.

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    script = output.with_suffix(".exports")
    script.write_text(f"{{ global: {exports}; local: *; }};\n")
    # `resolve.c` may have to write where the addresses of functions are, after the loader has.
    options = ("-z", "noexecstack", "-z", "norelro", f"--version-script={script}")
    run_zig(["ld.lld", "-shared", *options, "-o", str(output), *map(str, objects)])
    c_library.weaken(output)
