"""The device side alone: installed without the compiler, in venvs of its own, without torch."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT
from lab import Lab

pytestmark = pytest.mark.fetches

_PROGRAM = """
import json, os, sys
import numpy
def resident(): return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
before = resident()
import tvmlcnn
model = tvmlcnn.load(sys.argv[1])
result = model(numpy.zeros((1, 3, 224, 224), "float32"))
maps = open("/proc/self/maps").read()
print(json.dumps({
    "shape": result.shape,
    "added": (resident() - before) / 1e6,
    "torch": "torch" in sys.modules,
    "tvm": "libtvm" in maps,
}))
"""


def _installed(folder: Path, extra: str = "") -> Path:
    """Return a Python into which ``pip install .`` was done, or ``.[EXTRA]``, and nothing else."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    # From a copy: setuptools leaves its build folder in the source, and packs what lies there.
    source = folder / "source"
    source.mkdir()
    for name in ("tvmlcnn", "schedules", "targets"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    install = [python, "-m", "pip", "install", "-q", "-c", ROOT / "constraints.txt"]
    subprocess.run([*install, f"{source}{extra}"], check=True)
    return python


@pytest.fixture(scope="module")
def device_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _installed(tmp_path_factory.mktemp("device"))


@pytest.fixture(scope="module")
def board_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _installed(tmp_path_factory.mktemp("board"), "[device]")


@pytest.fixture(scope="module")
def mobilenet(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import tvmlcnn

    path = tmp_path_factory.mktemp("compiled") / "mobilenet_v2.so"
    tvmlcnn.compile("mobilenet_v2", "x86", output=path, check=False)
    return path


def test_thin(device_python: Path, mobilenet: Path) -> None:
    done = subprocess.run(
        [device_python, "-c", _PROGRAM, mobilenet], check=True, capture_output=True, text=True
    )
    seen = json.loads(done.stdout)
    assert seen["shape"] == [1, 1000]
    assert not seen["torch"]
    assert not seen["tvm"]
    assert seen["added"] < 40
    assert done.stderr == ""
    found = subprocess.run(
        [device_python, "-m", "pip", "list", "--format", "json"],
        check=True,
        capture_output=True,
        text=True,
    )
    packages = {package["name"].lower() for package in json.loads(found.stdout)}
    assert packages - {"pip", "setuptools"} == {
        *("tvmlcnn", "numpy", "click", "rich", "pillow"),
        *("markdown-it-py", "mdurl", "pygments"),  # rich's
    }


def test_compiling_says_what_to_install(device_python: Path) -> None:
    done = subprocess.run(
        [device_python, "-m", "tvmlcnn", "compile", "mobilenet_v2"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the compiler needs torch: pip install 'tvmlcnn[compile]'")
    assert len(done.stderr.splitlines()) == 1


def test_it_serves_and_uses_a_board(lab: Lab, board_python: Path, mobilenet: Path) -> None:
    board = lab.device("serve", "--port", "0", python=board_python)
    bench = ["bench", mobilenet, "--seconds", "0", "--device", board.address, "--json"]
    done = subprocess.run(
        [board_python, "-m", "tvmlcnn", *bench], capture_output=True, text=True, check=True
    )
    assert json.loads(done.stdout)["device"]["name"] == board.address
    assert (done.stderr, board.err) == ("", "")


def test_a_tracker_says_what_to_install(device_python: Path) -> None:
    command = [device_python, "-m", "tvmlcnn", "device", "tracker", "--port", "0"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == "error: TVM's tracker needs tornado: pip install 'tvmlcnn[tracker]'\n"
    assert done.stdout == ""


def test_torch_stays_out_where_it_is_installed(mobilenet: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM, mobilenet], check=True, capture_output=True, text=True
    )
    seen = json.loads(done.stdout)
    assert not seen["torch"]
    assert not seen["tvm"]
