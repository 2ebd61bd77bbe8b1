"""The GPU at hand, as a driver describes it."""

from __future__ import annotations

import ctypes
import json
from pathlib import Path
from typing import Any

import fake_gpu
import pytest

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.machine import machine
from tvmlcnn.targets import resolve


def shown(folder: Path, devices: int) -> dict[str, Any]:
    return json.loads(fake_gpu.run("show_cuda_native.py", fake_gpu.build_driver(folder), devices))


def test_the_gpu_at_hand(tmp_path: Path) -> None:
    gpu = shown(tmp_path, 1)
    assert gpu["summary"].startswith("this machine's Fake 0, compute capability 6.1")
    assert gpu["machine"] == gpu["tvm"]["host"]["mtriple"].split("-")[0] == machine()
    assert (gpu["tvm"]["arch"], gpu["gpu_code"], gpu["capability"]) == ("sm_61", ["sm_61"], 61)
    assert (gpu["multiprocessors"], gpu["lanes_of_multiprocessor"]) == (10, 128)
    assert gpu["peak"] == pytest.approx(2 * 10 * 128 * 1.5)
    assert gpu["bandwidth_gbs"] == pytest.approx(192.0)
    assert gpu["l2_bytes"] == 1536 * 1024
    assert gpu["shared_of_multiprocessor"] == 96 * 1024
    assert gpu["shared_bytes"] == gpu["shared_opt_in_bytes"] == 48 * 1024
    assert gpu["records"] == f"{machine()}-sm_61"


def test_a_driver_without_a_gpu(tmp_path: Path) -> None:
    error = shown(tmp_path, 0)["error"]
    assert error.startswith("no target 'cuda-native' here: NVIDIA's driver")
    assert "\n" not in error


def test_no_driver() -> None:
    try:
        ctypes.CDLL("libcuda.so.1")
    except OSError:
        with pytest.raises(UserError, match=r"driver is missing \(libcuda.so.1\).*tvmlcnn targets"):
            resolve("cuda-native")
    else:
        pytest.skip("there is a driver here")
