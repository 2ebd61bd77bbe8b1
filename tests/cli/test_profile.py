"""Profiles: each kernel with its layers, its time and what the machine could do."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from conftest import Cli

from tools.peers.neighbours import neighbours
from tvmlcnn.runtime.machine import logical_cpus
from tvmlcnn.runtime.neighbours import Neighbours
from tvmlcnn.targets import resolve

# Neither torch nor the compiler can be imported; they are there, since TVM's libraries are needed.
THIN = (
    "import builtins, sys\n"
    "original = builtins.__import__\n"
    "def thin(name, *rest, **more):\n"
    "    if name.partition('.')[0] in ('torch', 'tvm'): raise ImportError(name)\n"
    "    return original(name, *rest, **more)\n"
    "builtins.__import__ = thin\n"
    "sys.argv = ['tvmlcnn', *sys.argv[1:]]\n"
    "from tvmlcnn.cli import main\n"
    "main()"
)


def test_every_layer_has_a_kernel(cli: Cli, small_file: Path, small_net: torch.nn.Module) -> None:
    kernels = cli("profile", small_file, "--threads", 1, "--seconds", 0, "--json").json["kernels"]
    layers = {layer for kernel in kernels for layer in kernel["layers"]}
    expected = {
        name
        for name, module in small_net.named_modules()
        if isinstance(module, (torch.nn.Conv2d, torch.nn.Linear))
    }
    assert layers >= expected
    first = next(kernel for kernel in kernels if kernel["layers"])
    assert first["layers"] == ["features.0", "features.1", "features.2"]


def test_figures_agree(cli: Cli, small_file: Path) -> None:
    data = cli("profile", small_file, "--threads", 1, "--seconds", 0.2, "--json").json
    kernels = data["kernels"]
    assert set(kernels[0]) == {
        *("function", "rule", "layers", "flops", "bytes", "gain"),
        *("us", "share", "gflops", "roofline"),
    }
    assert all(kernel["us"] > 0 and kernel["bytes"] > 0 for kernel in kernels)
    assert sum(kernel["share"] for kernel in kernels) == pytest.approx(1)
    assert sum(kernel["us"] for kernel in kernels) == pytest.approx(data["kernels_us"])
    assert data["call_us"] > 0
    assert data["outside_us"] >= 0
    assert data["others"] is None or 0 <= data["others"] <= 1
    assert data["threads"] == 1
    assert data["rounds"] > 0
    assert data["limits"]["peak_gflops"] > 0
    assert all(bandwidth > 0 for bandwidth in data["limits"]["bandwidth_gbs"].values())
    for kernel in kernels:
        assert kernel["gflops"] == pytest.approx(kernel["flops"] / kernel["us"] / 1e3)
        peak = kernel["gain"] * data["limits"]["peak_gflops"]
        assert kernel["roofline"] >= kernel["gflops"] / peak * 0.999


@pytest.mark.long
def test_kernels_of_codes_are_held_to_the_peak_of_codes(cli: Cli, tmp_path: Path) -> None:
    network = "squeezenet1_1?resolution=64"
    cli(
        "compile",
        network,
        "--dtype",
        "int8",
        "--calibrate",
        "random",
        "-o",
        "int8.so",
        "--target",
        "x86",
    )
    data = cli("profile", "int8.so", "--threads", 1, "--seconds", 0.2, "--json").json
    gain = resolve("x86").gain("int8")
    products = [kernel for kernel in data["kernels"] if kernel["rule"] == "dense"]
    assert products
    assert {kernel["gain"] for kernel in products} == {gain}
    for kernel in products:
        peak = gain * data["limits"]["peak_gflops"]
        assert kernel["roofline"] >= kernel["gflops"] / peak * 0.999


def test_table(cli: Cli, small_file: Path) -> None:
    text = cli("profile", small_file, "--seconds", 0).out
    assert "features.{0,1,2}" in text
    assert {"kernels", "outside", "whole", "this"} <= {
        line.split()[0] for line in text.splitlines() if line.strip()
    }


def test_a_busy_machine_is_told_of(cli: Cli, small_file: Path) -> None:
    """By how much, and no time is negative."""
    with neighbours(logical_cpus()):
        arguments = ["profile", small_file, "--threads", 1, "--seconds", 0.5]
        data = cli(*arguments, "--json").json
        text = cli(*arguments).out
    assert data["others"] > 0.2
    assert min(data["outside_us"], data["timer_us"], *(k["us"] for k in data["kernels"])) >= 0
    (line,) = (line for line in text.splitlines() if line.startswith("busy"))
    assert re.search(r"other programs took \d\d% of the processors' time", line)


def test_what_others_take_is_not_what_this_process_takes() -> None:
    watch = Neighbours()
    assert watch.share() is None  # too early
    began = time.process_time()
    while time.process_time() - began < 0.5:
        pass
    share = watch.share()
    assert share is not None
    # One processor was ours for all of half a second, or the machine is busy.
    with neighbours(logical_cpus()):
        busy = Neighbours()
        time.sleep(0.5)
        others = busy.share()
    assert others is not None
    assert others > share or share > 0.7


def test_without_compiler(small_file: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", THIN, "profile", small_file, "--seconds", "0", "--json"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout)["kernels"]
    assert done.stderr == ""


def test_gpu_file() -> None:
    from tvmlcnn.runtime import profile
    from tvmlcnn.runtime.model import Model

    model = Model.__new__(Model)
    model.calls, model.manifest = (), {"target": {"tvm": {"kind": "cuda"}}}
    with pytest.raises(ValueError, match="for a GPU"):
        profile.profile(model, 0)


def test_compile_names_kernels_on_the_default_rule(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(
        "import torch\ndef net():\n    return torch.nn.Conv2d(3, 8, 3)\n"
    )
    arguments = ["compile", "net.py:net", "--input-shape", "1x3x16x16", "--no-check"]

    def lines(*more: str) -> list[list[str]]:
        return [line.split() for line in cli(*arguments, *more).out.splitlines()]

    named = ["default", "(transpose)"]
    assert named not in lines()
    assert named in lines("-v")
