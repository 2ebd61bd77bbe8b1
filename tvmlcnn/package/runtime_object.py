"""The runtime and a network's tables, compiled for the machine of a file."""

from __future__ import annotations

from pathlib import Path

from tvmlcnn.runtime.c import FOLDER

from .zig import run_zig

# The oldest glibc that the file is to be loaded on: that of the manylinux2014 wheels.
_GLIBC = "2.17"
TRIPLES = {
    "x86_64": f"x86_64-linux-gnu.{_GLIBC}",
    "aarch64": f"aarch64-linux-gnu.{_GLIBC}",
    "armv7l": f"arm-linux-gnueabihf.{_GLIBC}",
}
# Tables for unwinding would need a function of libgcc, which not every process has.
_FLAGS = (
    *("-std=c11", "-O2", "-fPIC", "-fvisibility=hidden"),
    *("-fno-unwind-tables", "-fno-asynchronous-unwind-tables"),
)
# Android keeps this register for itself, and one file is for every C library.
_MACHINE_FLAGS = {"aarch64": ("-mcpu=generic+reserve_x18",)}
SOURCES = {
    "cpu": ("instance.c", "intact.c", "resolve.c", "cpu.c", "kernels.c", "machine.c", "pool.c"),
    "cuda": ("instance.c", "intact.c", "resolve.c", "cuda.c", "driver.c", "gpu.c", "gpu_times.c"),
}
"""By the family of the device that runs the kernels."""
OF_FRAMES = ("fitting.c", "frames.c", "resample.c")
"""Of files that resize what they are given."""
# A multiplication and an addition in one round otherwise: weights would differ between machines.
_EXACT = "-ffp-contract=off"


def runtime_objects(
    machine: str, family: str, program: str, folder: Path, resizes: bool = False
) -> list[Path]:
    """Compile the runtime of `tvmlcnn/runtime/c` with the tables of a network.

    Parameters
    ----------
    machine : str
        ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    family : str
        ``"cpu"`` or ``"cuda"``.
    program : str
        The source that `tvmlcnn.package.program_source` returns.
    folder : Path
        For the object files.
    resizes : bool
        Whether frames of any size are to be taken.

    Raises
    ------
    UserError
        If ziglang is not installed.
    """
    source = folder / "program.c"
    source.write_text(program)
    sources = [source, *(FOLDER / name for name in SOURCES[family])]
    sources += [FOLDER / name for name in OF_FRAMES if resizes]
    objects = []
    for each in sources:
        path = folder / f"{each.stem}.o"
        command = ["cc", "-target", TRIPLES[machine], *_FLAGS, *_MACHINE_FLAGS.get(machine, ())]
        command += [f"-I{FOLDER}", *([_EXACT] if each.name in OF_FRAMES else [])]
        run_zig([*command, "-c", str(each), "-o", str(path)])
        objects.append(path)
    return objects
