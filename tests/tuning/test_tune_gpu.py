"""`tvmlcnn tune` for a GPU, on the driver of the tests, whose times are numbers of blocks."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import fake_gpu
import pytest
import tuned
from conftest import Cli
from lab import Lab
from torch import nn

from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import find_compiler
from tvmlcnn.remote import Fleet
from tvmlcnn.runtime.nvidia import has_gpu
from tvmlcnn.schedules import why_given_up
from tvmlcnn.targets import DEVICES, resolve
from tvmlcnn.tuning.building import Builder
from tvmlcnn.tuning.comparing import Bench, Failure
from tvmlcnn.tuning.kernels import Fixed, scheduled
from tvmlcnn.tuning.space import spaces

SHAPE = ("--input-shape", "1x8x32x32")
GPU: dict[str, Any] = {"kind": "cuda", "arch": "sm_87", "host": resolve("native").tvm}

pytestmark = pytest.mark.skipif(has_gpu(), reason="there is a GPU, and another driver than ours")


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A machine with a GPU of sm_87."""
    try:
        find_compiler(("sm_87",))
    except UserError as error:
        pytest.skip(str(error))
    folder = fake_gpu.build_driver(tmp_path_factory.mktemp("driver"))
    return os.environ | {"LD_LIBRARY_PATH": str(folder), "FAKE_CUDA_AS": "87"}


def tvmlcnn_with(environment: Mapping[str, str], *arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-m", "tvmlcnn", *map(str, arguments), "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.long
def test_from_a_gpu_here_to_its_file(environment: dict[str, str], cli: Cli, tmp_path: Path) -> None:
    """The fewest blocks win; the records say sm_87, and only code for that takes them."""
    nets, records = tuned.write_nets(tmp_path), tmp_path / "records"
    arguments = [f"{nets}:tiny", *SHAPE, "--records", records]
    state = tvmlcnn_with(environment, "tune", *arguments, "--target", "cuda", "--trials", 16)
    assert state["trials"] == 16
    assert state["boards"] == {"this machine": "working"}
    assert state["gain"] > 1
    found = tuned.lines(records, "records")
    assert {record["target"] for record in found} == {"x86_64-sm_87"}
    assert {record["threads"] for record in found} == {1}
    assert {record["board"] for record in found} == {"Fake 0"}
    better = {record["workload"] for record in found if record["decisions"]}
    assert better

    compiled = [*arguments, "--no-check", "-o", tmp_path / "net.so"]
    report = tvmlcnn_with(environment, "compile", *compiled, "--target", "cuda-native")
    assert report["records"]["tuned"] == len(better)
    assert report["warnings"] == []
    for other in (DEVICES["h100"].name, json.dumps(GPU | {"arch": "sm_90"})):
        report = cli("compile", *compiled, "--target", other, "--json").json
        assert report["records"]["tuned"] == report["records"]["default"] == 0


@pytest.mark.long
def test_on_a_board_over_the_network(
    environment: dict[str, str], cli: Cli, lab: Lab, tmp_path: Path
) -> None:
    """What tunes has no driver; the board has one, and a run goes on where another one was."""
    nets, records = tuned.write_nets(tmp_path), tmp_path / "records"
    board = lab.device("serve", "--port", "0", env=environment)
    arguments = [f"{nets}:tiny", *SHAPE, "--records", records, "--target", json.dumps(GPU)]
    arguments += ["--device", board.address, "--json"]
    done = cli("tune", *arguments, "--trials", 2)
    assert done.code == 0, done.err
    assert list(done.json["boards"]) == [board.address]
    again = cli("tune", *arguments, "--trials", 4)
    assert again.code == 0, again.err
    tried = tuned.candidates(records)
    assert again.json["trials"] == len(tried) == len(set(tried)) == 4
    assert {record["target"] for record in tuned.lines(records, "records")} == {"x86_64-sm_87"}

    other = cli("tune", *arguments[:-3], "--device", board.address, "--target", "h100")
    assert f"the GPU of {board.address} (Fake 0) is sm_87, and h100 is sm_90" in other.error
    named = cli("tune", f"{nets}:tiny", "--target", "cuda", "--device", board.address)
    assert "name the one of" in named.error


@pytest.mark.long
def test_a_board_without_a_gpu(cli: Cli, lab: Lab, tmp_path: Path) -> None:
    nets, board = tuned.write_nets(tmp_path), lab.board()
    arguments = ["tune", f"{nets}:tiny", *SHAPE, "--target", json.dumps(GPU)]
    said = cli(*arguments, "--device", board.address).error
    assert f"{board.address} has no NVIDIA GPU with a driver" in said
    assert "sm_87" in said
    assert "this machine has no NVIDIA GPU" in cli(*arguments).error


def test_what_exceeds_the_gpu_is_not_measured() -> None:
    """Not one that falls back either, whose time would be another kernel's."""
    net = nn.Sequential(nn.Conv2d(16, 32, 1), nn.AdaptiveAvgPool2d(1))
    gpu = replace(DEVICES["jetson-orin-nano"], shared_bytes=1024)
    (task,) = (t for t in tuned.tasks_of(net, (1, 16, 14, 14), gpu) if t.rule == "pooling")
    ((_, parts),) = spaces(task, gpu)[0].items()
    large = [
        {"parts": n}
        for n in parts[::8]
        if why_given_up(scheduled(task, gpu, Fixed({"parts": n})).function)
    ]
    assert 0 < len(large) < len(parts) / 8
    board = SimpleNamespace(facts=lambda: {"emulated": False})
    bench = Bench(gpu, cast(Fleet, [board]), cast(Builder, None))
    for _, outcome in bench.compare(task, large, 1.0):
        assert isinstance(outcome, Failure)
        assert outcome.kind == "build"
        assert "bytes of shared memory, where a block has 1024" in outcome.detail


@pytest.mark.parametrize("target", ["cuda", "cuda-native"])
def test_no_gpu_here(target: str, cli: Cli) -> None:
    done = cli("tune", "mobilenet_v2", "--target", target)
    assert done.code == 2
    assert f"tuning for {target} measures on an NVIDIA GPU" in done.error
    assert "libcuda.so.1" in done.error


def test_a_jetson_is_no_pc(cli: Cli) -> None:
    done = cli("tune", "mobilenet_v2", "--target", "jetson-orin-nano")
    assert done.code == 2
    assert "this machine is x86_64, and jetson-orin-nano is aarch64" in done.error
