"""What a user is told whose GPU cannot run a file: one line, by each command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import fake_gpu
import pytest
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import find_compiler
from tvmlcnn.targets import resolve

pytestmark = pytest.mark.long


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_gpu.build_driver(tmp_path_factory.mktemp("driver"))


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_compiler(("sm_75",))
    except UserError as error:
        pytest.skip(str(error))
    path = tmp_path_factory.mktemp("file") / "net.so"
    target: dict[str, Any] = {"kind": "cuda", "arch": "sm_75", "host": resolve("native").tvm}
    net = nn.Sequential(nn.Conv2d(4, 8, 1), nn.ReLU())
    tvmlcnn.compile(net, target, (1, 4, 8, 8), output=path, check=False)
    return path


def told(driver: Path, fails: str, command: str, file: Path) -> str:
    """Return the line that a command ends with, or what it prints where nothing fails."""
    environment = os.environ | {"LD_LIBRARY_PATH": str(driver), "FAKE_CUDA_AS": "75"}
    environment |= {"FAKE_CUDA_FAILS": fails} if fails else {}
    done = subprocess.run(
        [sys.executable, "-m", "tvmlcnn", command, str(file), "--seconds", "0"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if not fails:
        assert done.returncode == 0, done.stderr
        return done.stdout
    assert done.returncode == 2, done.stderr
    (line,) = done.stderr.splitlines()
    return line


CASES = {
    "no GPU": ("cuInit 1 100", "needs an NVIDIA GPU"),
    "another GPU": ("cuModuleLoadData 1 209", "the file has code for sm_75, by "),
    "no memory for weights": ("cuMemAlloc_v2 1 2", "memory for weights on the GPU: CUDA_ERROR_OUT"),
    "no memory for tensors": ("cuMemAlloc_v2 2 2", "memory for tensors on the GPU: CUDA_ERROR_OUT"),
    "no memory for a launch": ("cuLaunchKernel 1 2", "CUDA_ERROR_OUT_OF_MEMORY (out of memory)"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("command", ["bench", "profile"])
def test_one_line(case: str, command: str, driver: Path, file: Path) -> None:
    fails, part = CASES[case]
    line = told(driver, fails, command, file)
    assert part in line
    assert line.startswith("error: ")


def test_bench(driver: Path, file: Path) -> None:
    """The time of the graph, and whose it is."""
    said = told(driver, "", "bench", file)
    assert "as one graph" in said
    assert "Fake 0" in said
