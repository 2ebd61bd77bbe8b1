"""Profiles of models for a GPU, on the driver of the tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import fake_gpu
import numpy as np
import pytest
from conftest import Cli
from torch import nn

import tvmlcnn
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import find_compiler
from tvmlcnn.runtime.nvidia import has_gpu
from tvmlcnn.targets import resolve

SCRIPT = "runtime/profile_on_fake_gpu.py"


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    try:
        find_compiler(("sm_75",))
    except UserError as error:
        pytest.skip(str(error))
    net = nn.Sequential(
        *(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(128, 10))
    )
    path = tmp_path_factory.mktemp("file") / "net.so"
    target: dict[str, Any] = {"kind": "cuda", "arch": "sm_75", "host": resolve("native").tvm}
    tvmlcnn.compile(net, target, (1, 3, 16, 16), output=path, check=False)
    return path


@pytest.fixture(scope="module")
def driver(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return fake_gpu.build_driver(tmp_path_factory.mktemp("driver"))


@pytest.mark.long
def test_kernels_gaps_and_the_graph(file: Path, driver: Path) -> None:
    said = json.loads(fake_gpu.run(SCRIPT, driver, file, "--seconds", 0, "--json"))
    kernels = said["kernels"]
    assert {"0", "4"} <= {layer for kernel in kernels for layer in kernel["layers"]}
    assert said["kernels_us"] == pytest.approx(11 * len(kernels))
    assert said["gaps_us"] == pytest.approx(len(kernels) - 1)
    # A copy of the input and one of the output, and no events but those around it.
    assert said["graph_us"] == pytest.approx(10 * len(kernels) + 11)
    assert said["call_us"] > 0
    assert sum(kernel["share"] for kernel in kernels) == pytest.approx(1)
    gpu = said["gpu"]
    assert gpu["name"] == "Fake 0"
    for kernel in kernels:
        computing = kernel["flops"] / (2 * 10 * 128 * 1.5) / 1e3
        moving = kernel["bytes"] / gpu["bandwidth_gbs"] / 1e3
        assert kernel["roofline"] == pytest.approx(np.maximum(computing, moving) / kernel["us"])


@pytest.mark.long
def test_the_table(file: Path, driver: Path) -> None:
    said = fake_gpu.run(SCRIPT, driver, file, "--seconds", 0)
    for part in ("gaps between them", "as one graph", "Fake 0, 3840 GFLOP/s, 192 GB/s", "rule"):
        assert part in said


@pytest.mark.long
@pytest.mark.parametrize("command", ["profile", "bench"])
def test_no_driver(command: str, file: Path, cli: Cli) -> None:
    """One line says it."""
    if has_gpu():
        pytest.skip("there is a GPU here")
    assert "NVIDIA's driver" in cli(command, file).error
