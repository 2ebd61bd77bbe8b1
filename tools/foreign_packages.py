"""Another machine's Debian packages and wheels, fetched and unpacked here without root.

Every step is one plain line on stderr; a step that fails shows its last lines.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tvmlcnn.errors import UserError

# The host's own sources, asked for another architecture with a state and cache of our own. What
# the host does after an update (its hooks) is not for this.
APT_CONF = """\
#clear APT::Update;
#clear APT::Architectures;
APT::Architecture "{architecture}";
APT::Architectures "{architecture}";
APT::Sandbox::User "";
APT::Install-Recommends "false";
Acquire::Languages "none";
Acquire::Retries "3";
Dir::State "{root}";
Dir::State::status "{root}/status";
Dir::Cache "{root}";
"""

MANYLINUX = range(28, 16, -1)
"""Minor versions of glibc 2 whose wheels are taken; Raspberry Pi OS of 2019 has the newest."""


def say(line: str) -> None:
    """Print a line of progress."""
    print(f"emulated_pi: {line}", file=sys.stderr, flush=True)


def run(what: str, command: Sequence[str | Path], cwd: Path | None = None) -> None:
    """Run a command in silence; if it fails, show its last lines and raise UserError."""
    pipe, none, both = subprocess.PIPE, subprocess.DEVNULL, subprocess.STDOUT
    done = subprocess.run(command, cwd=cwd, stdin=none, stdout=pipe, stderr=both)
    if done.returncode:
        lines = done.stdout.decode(errors="replace").splitlines()
        print(*lines[-12:], sep="\n", file=sys.stderr)
        raise UserError(f"{what} failed with exit code {done.returncode}; its last lines are above")


def unpack_debian(architecture: str, packages: Sequence[str], sysroot: Path, scratch: Path) -> None:
    """Unpack Debian's ``packages`` and all they depend on into ``sysroot``."""
    root = scratch / "apt"
    for folder in ("lists/partial", "archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    (root / "apt.conf").write_text(APT_CONF.format(architecture=architecture, root=root))
    say(f"fetching Debian's packages for {architecture}")
    # An index that its mirror is just replacing fails the update, and seldom matters.
    script = f'"$@" update; "$@" install -y --download-only {" ".join(packages)}'
    apt: list[str | Path] = ["apt-get", "-q", "-c", root / "apt.conf"]
    run("fetching Debian's packages", ["sh", "-c", script, "sh", *apt])
    # The loader is asked for as /lib/ld-linux-*: a system with merged /usr has it either way.
    for folder in ("bin", "lib", "sbin"):
        (sysroot / "usr" / folder).mkdir(parents=True)
        (sysroot / folder).symlink_to(Path("usr", folder))
    archives = sorted((root / "archives").glob("*.deb"))
    say(f"unpacking {len(archives)} packages")
    for archive in archives:
        run(f"unpacking {archive.name}", ["dpkg-deb", "-x", archive, sysroot])


def install_wheels(site: Path, python: str, requirements: Sequence[str], *options: str) -> None:
    """Install wheels of aarch64, or of any machine, for ``python`` (``"python3.11"``)."""
    say(f"fetching wheels for {python}: {', '.join(requirements)}")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "install", "--target", site]
    pip += ["--only-binary=:all:"]
    pip += ["--implementation", "cp", "--python-version", python.removeprefix("python")]
    pip += [f"--platform=manylinux_2_{minor}_aarch64" for minor in MANYLINUX]
    pip += ["--platform=manylinux2014_aarch64", "--no-compile", "--no-input", "--upgrade"]
    run("pip install", [*pip, *options, *requirements])


DEBIAN_MODULES = ("python3-numpy", "python3-pil")
"""What 32-bit ARM has no wheels of."""


def adopt_debian(site: Path, sysroot: Path) -> None:
    """Take numpy and PIL for 32-bit ARM out of Debian's own place for modules into ``site``."""
    for module in (sysroot / "usr/lib/python3/dist-packages").iterdir():
        shutil.move(module, site / module.name)
    libraries = sysroot / "usr/lib/arm-linux-gnueabihf"
    for name in ("blas", "lapack"):  # what update-alternatives does when they are installed
        os.symlink(f"{name}/lib{name}.so.3", libraries / f"lib{name}.so.3")
