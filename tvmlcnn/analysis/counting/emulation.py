"""Running a Python program in the emulated Raspberry Pi, with what it runs counted."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from tvmlcnn import emulator
from tvmlcnn.errors import UserError
from tvmlcnn.files import scratch
from tvmlcnn.package.zig import run_zig

from .machines import MACHINES, Core
from .profile import Section, read_profile
from .programs import program

# The same from run to run: one thread, sets of names in one order, and no bytecode that the next
# run would find: where modules are compiled memory is laid out otherwise.
_STEADY = {"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0", "PYTHONDONTWRITEBYTECODE": "1"}


def counted(
    core: Core,
    arguments: Sequence[str | Path],
    sysroot: Path | None = None,
    paths: Sequence[Path] = (),
) -> list[Section]:
    """Run Python with some arguments and return the sections that it marks.

    It begins and ends what is counted by the system call getppid, and divides it by clock_gettime.

    Parameters
    ----------
    core : Core
        Which is emulated.
    arguments : sequence of str or Path
        Of CPython, on which this very ``tvmlcnn`` and the emulator's own modules can be imported.
    sysroot : Path, optional
        What the program sees instead of the emulator's system.
    paths : sequence of Path
        Further folders of modules.

    Raises
    ------
    UserError
        If there is no emulator of the core's machine, or no QEMU that takes plugins.
    RuntimeError
        If the program fails.
    """
    machine = MACHINES[core.machine]
    python = emulator.find(core.machine)
    if python is None:
        raise UserError(
            f"no emulator for {core.machine} is installed: tools/emulated_pi.py builds one"
        )
    qemu = program(machine.qemu)
    home = python.parent
    sysroot = sysroot or home / "sysroot"
    (interpreter,) = (sysroot / "usr/bin").glob("python3.[0-9]*[0-9]")
    with (
        scratch("tvmlcnn-count-") as folder,
        emulator.environment(core.emulated) as variables,
    ):
        library, profile = folder / "plugin.so", folder / "profile"
        source = Path(__file__).with_name("plugin.c")
        run_zig(["cc", "-O2", "-shared", "-fPIC", "-o", str(library), str(source)])
        settings = f"{library},out={profile},turn={machine.turn},mark={machine.mark}"
        modules = os.pathsep.join([*map(str, paths), variables["PYTHONPATH"]])
        variables |= _STEADY | {"PYTHONHOME": str(sysroot / "usr"), "PYTHONPATH": modules}
        emulated = [qemu, "-plugin", settings, "-L", str(sysroot)]
        emulated += ["-0", str(home / "bin/python"), str(interpreter)]
        done = subprocess.run(
            [*emulated, *map(str, arguments)],
            env=variables,
            cwd=folder,  # what lies in the user's would go before Python's own modules
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.strip() or "nothing said"
            raise RuntimeError(f"the emulated program failed ({done.returncode}): {said[-2000:]}")
        return read_profile(profile)
