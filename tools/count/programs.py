"""QEMU's and LLVM's programs, unpacked from Debian's packages without root."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from tools.foreign_packages import say, unpack_debian
from tvmlcnn import emulator
from tvmlcnn.analysis.counting.programs import LLVM, PACKAGES
from tvmlcnn.errors import UserError

# Each with the loader and the libraries that it was unpacked with.
_SCRIPT = """\
#!/bin/sh
home=$(dirname "$(dirname "$(readlink -f "$0")")")
exec "$home/{loader}" --library-path "{libraries}" "$home/{program}" "$@"
"""


def install() -> None:
    """Unpack what counting needs at its home, whole or not at all; nothing where it is there."""
    home = emulator.home("counting")
    if all((home / "bin" / name).exists() for name in PACKAGES):
        return
    for tool in ("apt-get", "dpkg-deb", "dpkg"):
        if not shutil.which(tool):
            raise UserError(f"{tool} not found: counting needs programs of Debian's packages")
    architecture = subprocess.check_output(["dpkg", "--print-architecture"], text=True).strip()
    home.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="counting-", dir=home.parent) as folder:
        scratch = Path(folder)
        new, sysroot = scratch / "new", scratch / "sysroot"
        unpack_debian(architecture, sorted(set(PACKAGES.values())), sysroot, scratch)
        _keep(sysroot, new)
        if home.exists():
            home.rename(scratch / "old")
        new.rename(home)
    say(f"unpacked {home}")


def _keep(sysroot: Path, new: Path) -> None:
    """Take the programs and all libraries out of a sysroot: a tenth of it."""
    folders = sorted({path.parent for path in sysroot.rglob("*.so.*")})
    (loader,) = {path.resolve() for path in sysroot.glob("*/*-linux-gnu*/ld-linux*.so.*")}
    (new / "bin").mkdir(parents=True)
    (new / "programs").mkdir()
    for folder in folders:
        target = new / "lib" / folder.relative_to(sysroot)
        target.mkdir(parents=True)
        for path in folder.glob("*.so*"):
            shutil.move(path, target / path.name)
    places = ":".join(f"$home/lib/{folder.relative_to(sysroot)}" for folder in folders)
    for name in PACKAGES:
        at = f"usr/lib/llvm-{LLVM}/bin" if name.startswith("llvm") else "usr/bin"
        shutil.move(sysroot / at / name, new / "programs" / name)
        script = new / "bin" / name
        inside = Path("lib") / loader.relative_to(sysroot.resolve())
        script.write_text(
            _SCRIPT.format(loader=inside, libraries=places, program=f"programs/{name}")
        )
        script.chmod(0o755)


if __name__ == "__main__":
    install()
