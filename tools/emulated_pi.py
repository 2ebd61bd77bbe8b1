#!/usr/bin/env python3
"""An emulated Raspberry Pi: build it, and run programs in it.

::

    python tools/emulated_pi.py build
    python tools/emulated_pi.py run -- python -c 'import platform; print(platform.machine())'
    python tools/emulated_pi.py run --cpu cortex-a53 -- python -m tvmlcnn --help

It is user-mode QEMU, a few of Debian's packages and some wheels; no disk image. CPython and the C
library come from the host's own apt sources, asked for the other architecture through a private
apt root, and are only unpacked, never installed. The wheels lie in a virtual environment of that
CPython, so that nothing of the host's Python is seen inside. Emulation says whether a program is
right and uses only instructions its core has; it says nothing about speed.

``--arch armv7l`` is a 32-bit Raspberry Pi 2. TVM has no wheel for it, so that it cannot be a board
that kernels are tuned on: for that alone ``armv7l-board`` has a TVM that is cross-built, which
takes some minutes.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # works before tvmlcnn is installed

import tvm_runtime_armv7l
from foreign_packages import DEBIAN_MODULES, adopt_debian, install_wheels, run, say, unpack_debian

from tvmlcnn import emulator
from tvmlcnn.errors import UserError

PACKAGES = ("python3", "libstdc++6", "zlib1g")
# What the package requires, and TVM for a board over the network; pyproject.toml says the same, and
# a test compares them.
TVM = ("apache-tvm>=0.27,<0.28", "apache-tvm-ffi>=0.1.14.post0,<0.1.15")
PURE = ("click>=8.1", "rich>=13")
NATIVE = ("numpy>=1.26", "pillow>=10")

# Of no use at run time, and two thirds of the size.
DEAD_WEIGHT = (
    *(f"sysroot/usr/share/{name}" for name in ("doc", "info", "lintian", "locale", "man", "perl")),
    *(f"sysroot/usr/{name}" for name in ("include", "lib/*/*.a", "lib/python3*/config-*")),
    "lib/*/site-packages/bin",
    *(f"lib/*/site-packages/tvm/{name}" for name in ("3rdparty", "include", "src", "web")),
    "lib/*/site-packages/tvm/lib/libtvm_compiler.so",
    "lib/*/site-packages/tvm/lib/libtvm_runtime_cuda.so",
)

# CPython is told where it lives: not every system call of a 32-bit guest is looked up in -L.
PYTHON = """\
#!/bin/sh
# {python} of another machine; QEMU_CPU says which core.
home=$(dirname "$(dirname "$(readlink -f "$0")")")
export QEMU_CPU="${{QEMU_CPU:-{cpu}}}"
export PYTHONHOME="$home/sysroot/usr"
exec {qemu} -L "$home/sysroot" -0 "$home/bin/python" "$home/sysroot/usr/bin/{python}" "$@"
"""

PYVENV = """\
home = /usr/bin
include-system-site-packages = false
"""


@dataclass(frozen=True)
class Machine:
    """A Raspberry Pi's architecture: its names, its cores, and how its packages are had."""

    debian: str
    qemu: str
    cpus: tuple[str, ...]
    """The first is the default."""
    packages: tuple[str, ...]
    requirements: tuple[str, ...]
    tools: tuple[tuple[str, str], ...] = ()
    """Programs that building needs beside QEMU, with the Debian package each is in."""
    finish: Callable[[Path, Path, str, Path, tuple[str, ...]], None] | None = None
    """Puts in ``site-packages`` what has no wheel."""


MACHINES = {
    "aarch64": Machine(
        debian="arm64",
        qemu="qemu-aarch64-static",
        cpus=("cortex-a72", "cortex-a53", "cortex-a76"),
        packages=PACKAGES,
        requirements=(*TVM, *PURE, *NATIVE),
    ),
    "armv7l": Machine(
        debian="armhf",
        qemu="qemu-arm-static",
        cpus=("cortex-a7", "cortex-a15"),
        packages=(*PACKAGES, *DEBIAN_MODULES),
        requirements=PURE,
        finish=lambda site, sysroot, *_: adopt_debian(site, sysroot),
    ),
    "armv7l-board": Machine(
        debian="armhf",
        qemu="qemu-arm-static",
        cpus=("cortex-a7", "cortex-a15"),
        packages=(*PACKAGES, *DEBIAN_MODULES, *tvm_runtime_armv7l.PACKAGES),
        requirements=(*PURE, "typing-extensions>=4.13"),
        tools=((tvm_runtime_armv7l.COMPILER, "g++-arm-linux-gnueabihf"),),
        finish=tvm_runtime_armv7l.install,
    ),
}


def build(arch: str) -> None:
    """Build the emulator of ``arch`` at its home, whole or not at all; nothing if it is there."""
    machine = MACHINES[arch]
    home = emulator.home(arch)
    stamp = home / "stamp"
    if emulator.find(arch) and stamp.exists() and stamp.read_text() == recipe():
        say(f"up to date: {home}")
        return
    _need_tools(machine)
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"{arch}-", dir=home.parent) as folder:
        scratch = Path(folder)
        new = scratch / "new"
        unpack_debian(machine.debian, machine.packages, new / "sysroot", scratch)
        python = os.readlink(new / "sysroot/usr/bin/python3")
        site = new / "lib" / python / "site-packages"
        install_wheels(site, python, machine.requirements)
        if machine.finish:
            machine.finish(site, new / "sysroot", python, scratch, TVM)
        for pattern in DEAD_WEIGHT:
            for path in new.glob(pattern):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        _write_python(machine, new, python)
        say("trying it, which also compiles its modules")
        # Without their bytecode an import of numpy takes six seconds there instead of two.
        imports = "import numpy, PIL.Image, click, rich, ctypes, json, subprocess, urllib.request"
        writing = ["env", "-u", "PYTHONDONTWRITEBYTECODE"]
        run("the new emulator", [*writing, new / "python", "-c", imports])
        (new / "stamp").write_text(recipe())
        if home.exists():
            home.rename(scratch / "old")
        new.rename(home)
    say(f"built {home}")


def recipe() -> str:
    """Return what the stamp of an up-to-date emulator holds: a digest of these programs."""
    files = (Path(__file__).with_name(f"{name}.py") for name in ("emulated_pi", "foreign_packages"))
    armv7l = Path(tvm_runtime_armv7l.__file__)
    texts = [
        file.read_bytes()
        for file in (*files, armv7l, tvm_runtime_armv7l.SUPPORT, tvm_runtime_armv7l.RPC_SERVER)
    ]
    return hashlib.sha256(b"".join(texts)).hexdigest()


def _need_tools(machine: Machine) -> None:
    """Raise UserError where a program of the host is missing that building needs."""
    for tool in ("apt-get", "dpkg-deb"):
        if not shutil.which(tool):
            raise UserError(f"{tool} not found: the emulator is built from Debian's packages")
    tools = ((machine.qemu, "qemu-user-static"), *machine.tools)
    missing = [package for tool, package in tools if not shutil.which(tool)]
    if missing and os.geteuid() == 0:
        say(f"installing {' '.join(missing)}")
        script = 'apt-get update; apt-get install -y --no-install-recommends "$@"'
        run("apt-get install", ["sh", "-c", script, "sh", *missing])
    elif missing:
        raise UserError(f"as root, first: apt-get install {' '.join(missing)}")


def _write_python(machine: Machine, new: Path, python: str) -> None:
    """Make ``new`` a virtual environment whose python is a script that starts QEMU."""
    script = new / "bin" / "python"
    script.parent.mkdir()
    script.write_text(PYTHON.format(python=python, qemu=machine.qemu, cpu=machine.cpus[0]))
    script.chmod(0o755)
    (new / "python").symlink_to("bin/python")
    (new / "pyvenv.cfg").write_text(PYVENV)


def execute(arch: str, program: str, arguments: Sequence[str], cpu: str | None = None) -> int:
    """Run a program in the emulator of ``arch`` and return its exit code.

    ``program`` is ``python``, a ``.py`` file, or an executable built for ``arch``.
    """
    python = emulator.find(arch)
    if not python:
        raise UserError(f"no emulated {arch} yet: python {sys.argv[0]} build --arch {arch}")
    machine = MACHINES[arch]
    if cpu and cpu not in machine.cpus:
        raise UserError(f"no {cpu} with {arch}; it has {', '.join(machine.cpus)}")
    command: list[str | Path]
    if program in ("python", "python3"):
        command = [python, *arguments]
    elif program.endswith(".py"):
        command = [python, program, *arguments]
    else:
        command = [machine.qemu, "-L", python.parent / "sysroot", program, *arguments]
        cpu = cpu or os.environ.get("QEMU_CPU", machine.cpus[0])
    with emulator.environment(cpu) as env:
        code = subprocess.run(command, env=env).returncode
    return code if code >= 0 else 128 - code  # as a shell does where a signal ended it


def main() -> int:
    """Parse the command line; return the exit code."""
    parser = argparse.ArgumentParser(prog="emulated_pi.py", description=__doc__.splitlines()[0])
    verbs = parser.add_subparsers(dest="verb", required=True)
    for verb, does in (("build", "build it where it is not there"), ("run", "run a program in it")):
        command = verbs.add_parser(verb, help=does, description=does)
        command.add_argument("--arch", choices=MACHINES, default="aarch64")
    command.add_argument("--cpu", help="the core (default: QEMU_CPU, then cortex-a72)")
    command.add_argument("program", help="python, a .py file, or a program built for ARM")
    command.add_argument("arguments", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    try:
        if options.verb == "run":
            return execute(options.arch, options.program, options.arguments, options.cpu)
        build(options.arch)
    except UserError as error:
        say(str(error))
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
