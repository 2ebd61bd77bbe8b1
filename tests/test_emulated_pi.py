"""The emulated Raspberry Pi is another machine, whose core lacks what the real one lacks."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from tvmlcnn import emulator

ROOT = Path(__file__).parents[1]
TOOL = ROOT / "tools" / "emulated_pi.py"
DOTPROD = 20
"""The bit of ``asimddp`` in Linux's ``AT_HWCAP`` of aarch64."""


installed = pytest.mark.emulated("aarch64")
machines = pytest.mark.parametrize(
    "arch",
    [pytest.param(arch, marks=pytest.mark.emulated(arch)) for arch in ("aarch64", "armv7l")],
)


def tool(*arguments: str, env: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(TOOL), *arguments]
    # Elsewhere than in the checkout, which python's -c would have on its path.
    elsewhere = tempfile.gettempdir()
    return subprocess.run(
        command, env=env, cwd=elsewhere, capture_output=True, text=True, timeout=300
    )


def python(code: str, *options: str) -> str:
    done = tool("run", *options, "--", "python", "-c", code)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@machines
def test_it_is_another_machine_and_so_are_its_children(arch: str) -> None:
    code = (
        "import platform, subprocess, sys; print(platform.machine(), flush=True);"
        "sys.exit(subprocess.call([sys.executable, '-c', 'import os; print(os.uname().machine)']))"
    )
    assert python(code, "--arch", arch).split() == [arch, arch]


@machines
def test_what_a_device_needs_is_there(arch: str) -> None:
    code = """
import click, numpy, PIL.Image, rich
x = numpy.arange(6, dtype="float32").reshape(2, 3)
print(x @ x.T)
"""
    assert python(code, "--arch", arch).split() == ["[[", "5.", "14.]", "[14.", "50.]]"]


@installed
@pytest.mark.parametrize(
    ("cpu", "dotprod"), [("cortex-a53", 0), ("cortex-a72", 0), ("cortex-a76", 1)]
)
def test_a_core_has_what_the_real_one_has(cpu: str, dotprod: int) -> None:
    code = (
        "import ctypes; f = ctypes.CDLL(None).getauxval; f.restype = ctypes.c_ulong;"
        f"f.argtypes = [ctypes.c_ulong]; print(f(16) >> {DOTPROD} & 1)"
    )
    assert python(code, "--cpu", cpu) == str(dotprod)


@installed
def test_an_executable_runs_without_python() -> None:
    interpreter = emulator.home("aarch64") / "sysroot" / "usr" / "bin" / "python3"
    done = tool("run", "--", str(interpreter), "-c", "import os; print(os.uname().machine)")
    assert (done.returncode, done.stdout) == (0, "aarch64\n")
    assert tool("run", "--", "/bin/true").returncode != 0  # of this machine


@installed
def test_an_instruction_the_core_lacks_ends_the_program() -> None:
    """``sdot v0.4s, v0.16b, v0.16b; ret``, called as a function."""
    code = """
import ctypes, mmap
page = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
page.write(bytes.fromhex("0094804e c0035fd6"))
ctypes.CFUNCTYPE(None)(ctypes.addressof(ctypes.c_char.from_buffer(page)))()
"""
    assert tool("run", "--cpu", "cortex-a72", "--", "python", "-c", code).returncode == 128 + 4
    assert tool("run", "--cpu", "cortex-a76", "--", "python", "-c", code).returncode == 0


@installed
def test_it_imports_this_tvmlcnn_and_nothing_else_of_the_host() -> None:
    code = """
import importlib.util, pathlib, sys, tvmlcnn.errors
print(tvmlcnn.errors.did_you_mean("a", ["a"]).strip())
print(*(path.name for path in pathlib.Path(tvmlcnn.__file__).parents[1].iterdir()))
print(importlib.util.find_spec("pytest"))
print(sum("site-packages" in path for path in sys.path))
"""
    assert python(code).splitlines() == ["(did you mean a?)", "tvmlcnn", "None", "1"]


@installed
def test_the_callers_pythonpath_and_exit_code_pass_through(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text("import sys; sys.exit(len(sys.argv))")
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    assert tool("run", "--", "python", "-m", "mine", "--arch", "--", env=env).returncode == 3
    assert tool("run", "--", str(tmp_path / "mine.py"), "one").returncode == 2


def without_network(tmp_path: Path) -> dict[str, str]:
    """Return an environment with no emulator, an apt-get that fails, and a QEMU that is there."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, code in (("apt-get", "echo E: no route; exit 100"), ("qemu-aarch64-static", "exit")):
        (programs / name).write_text(f"#!/bin/sh\n{code}\n")
        (programs / name).chmod(0o755)
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    return {**os.environ, "PATH": path, "XDG_CACHE_HOME": str(tmp_path)}


def test_a_failed_build_says_why_and_leaves_nothing(tmp_path: Path) -> None:
    done = tool("build", env=without_network(tmp_path))
    assert done.returncode == 2
    assert "E: no route" in done.stderr
    assert "fetching Debian's packages failed" in done.stderr.splitlines()[-1]
    assert list((tmp_path / "tvmlcnn" / "emulated-pi").iterdir()) == []


def test_what_is_built_is_built_again_only_by_another_recipe(tmp_path: Path) -> None:
    env = without_network(tmp_path)
    home = tmp_path / "tvmlcnn" / "emulated-pi" / "aarch64"
    home.mkdir(parents=True)
    (home / "python").touch(mode=0o755)
    recipe = "import emulated_pi; print(emulated_pi.recipe(), end='')"
    command = [sys.executable, "-c", recipe]
    (home / "stamp").write_text(subprocess.check_output(command, cwd=TOOL.parent, text=True))
    done = tool("build", env=env)
    assert (done.returncode, "up to date" in done.stderr) == (0, True), done.stderr
    (home / "stamp").write_text("another")
    assert tool("build", env=env).returncode == 2
    assert (home / "stamp").read_text() == "another"


def test_run_without_an_emulator_says_how_to_get_one(tmp_path: Path) -> None:
    done = tool("run", "--", "python", "-c", "", env=without_network(tmp_path))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "emulated_pi.py build" in line


def test_a_core_of_another_machine_is_refused(tmp_path: Path) -> None:
    env = without_network(tmp_path)
    (tmp_path / "tvmlcnn" / "emulated-pi" / "aarch64").mkdir(parents=True)
    (tmp_path / "tvmlcnn" / "emulated-pi" / "aarch64" / "python").touch(mode=0o755)
    done = tool("run", "--cpu", "cortex-a7", "--", "python", env=env)
    assert done.returncode == 2
    assert "cortex-a72, cortex-a53, cortex-a76" in done.stderr


def test_it_gets_what_the_package_requires() -> None:
    tomllib = pytest.importorskip("tomllib")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    device = project["optional-dependencies"]["device"]
    for requirement in (*project["dependencies"], *device):
        assert f'"{requirement}"' in TOOL.read_text()
