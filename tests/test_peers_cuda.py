"""The comparison on a GPU, as far as it can be tested without one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from tools.peers.__main__ import command
from tools.peers.cuda import run as run_module
from tools.peers.cuda.compare import compare_on_gpu
from tools.peers.cuda.frameworks import FRAMEWORKS, OURS, Framework
from tools.peers.cuda.gpu_job import GpuJob, read
from tools.peers.cuda.torch_calls import Call, eager_call, prepared
from tools.peers.goals import ON_GPU, verdicts
from tvmlcnn.runtime.nvidia import has_gpu

CPU = torch.device("cpu")


@pytest.fixture(scope="module", params=["float32", "float16"])
def job(request: pytest.FixtureRequest) -> GpuJob:
    return read("mobilenet_v3_small?resolution=32", 8, request.param)


def test_the_job(job: GpuJob) -> None:
    assert job.input.shape == (8, 3, 32, 32)
    assert job.expected.shape == (8, 1000)
    one = read("mobilenet_v3_small?resolution=32", 1, job.dtype)
    assert job.macs == 8 * one.macs > 0
    assert one.input.shape[0] == 1


def here(job: GpuJob, folder: Path) -> Call:
    return eager_call(job, prepared(job, CPU), CPU)


def wrong(job: GpuJob, folder: Path) -> Call:
    return lambda image: -job.expected


def refuses(job: GpuJob, folder: Path) -> Call:
    raise RuntimeError("no kernel image\nis available")


def test_rows(job: GpuJob, tmp_path: Path) -> None:
    """What runs is timed in turns; what fails or is wrong has a reason instead."""
    said: list[str] = []
    frameworks = {
        OURS: Framework("ours", here),
        "torch": Framework("torch", here),
        "wrong": Framework("wrong", wrong),
        "refuses": Framework("refuses", refuses),
    }
    found = compare_on_gpu(job, frameworks, tmp_path, 0, 1, said.append)
    assert set(found.timed) == {OURS, "torch"}
    assert found.peers == ("torch",)
    for row in found.timed.values():
        assert row.agrees
        assert (row.error is None) == (job.dtype == "float16")
    reasons = {row.name: row.reason for row in found.rows if row.reason}
    assert reasons == {
        "wrong": "its output is another one than torch's on the CPU",
        "refuses": "no kernel image",
    }
    assert len(said) == 5
    assert found.lead() is not None
    assert (tmp_path / OURS).is_dir()


def test_a_call_returns_arrays_of_its_own(job: GpuJob) -> None:
    call = here(job, Path())
    first = call(job.input)
    second = call(np.zeros_like(job.input))
    assert np.abs(first - second).max() > 0
    assert first.dtype == np.float32


def test_the_goal(tmp_path: Path) -> None:
    small = GpuJob("mobilenet_v2", torch.nn.ReLU(), np.ones((1, 4)), np.ones((1, 4)), 1, "float32")
    frameworks = {name: Framework(name, lambda *_: lambda image: image) for name in FRAMEWORKS}
    found = compare_on_gpu(small, frameworks, tmp_path, 0, 1, lambda text: None)
    lines = verdicts([found], ON_GPU)
    assert [line for line, _ in lines] == [
        "1.5 times the best peer",
        "1.0 times the best peer, each",
    ]


def test_what_there_is_to_compare() -> None:
    assert next(iter(FRAMEWORKS)) == OURS
    assert {"torch", "torch-graph", "compile", "compile-graph"} < FRAMEWORKS.keys()
    assert callable(run_module)


def test_options_of_processors_are_refused() -> None:
    result = CliRunner().invoke(command, ["--device", "cuda", "--threads", "2"])
    assert "--threads is not for --device cuda" in str(result.exception)


def test_no_gpu_is_said_in_one_line() -> None:
    if has_gpu():
        pytest.skip("there is a GPU here")
    result = CliRunner().invoke(command, ["--device", "cuda"])
    assert "NVIDIA's driver" in str(result.exception)
    assert "\n" not in str(result.exception)
