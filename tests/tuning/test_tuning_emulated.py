"""Tuning on two emulated Raspberry Pis, one of which dies, to a model that runs on the other."""

from __future__ import annotations

import json
import runpy
import signal
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import tuned
from conftest import Cli
from lab import Lab, free_boards, until

pytestmark = pytest.mark.emulated("aarch64")


def test_from_tuning_to_a_result(cli: Cli, lab: Lab, tmp_path: Path) -> None:
    keeper = lab.tracker()
    registered = ["--tracker", keeper.address, "--key", "rpi4"]
    boards = [lab.emulated("aarch64", *registered) for _ in range(2)]
    until(lambda: len(free_boards(keeper.address, "rpi4")) == 2)
    doomed, left = boards

    model, records, log = tuned.write_nets(tmp_path), tmp_path / "records", tmp_path / "log"
    arguments = [f"{model}:tiny", "--input-shape", "1x8x8x8", "--target", "arm", "--threads", 1]
    arguments += ["--records", records, *registered, "--json"]
    with log.open("w") as file:
        run = subprocess.Popen(
            tuned.tune_command(*arguments, "--trials", 20),
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            cwd=tmp_path,
        )
        lab.callback(run.kill)
        until(lambda: run.poll() is not None or len(tuned.candidates(records)) >= 3, 180)
        doomed.end(signal.SIGKILL)
        out, _ = run.communicate(timeout=300)
    assert run.returncode == 0, log.read_text()
    state = json.loads(out)
    (aside,) = (text for name, text in state["boards"].items() if name.endswith(doomed.address))
    assert aside.startswith("set aside: ")
    assert "does not answer" in aside
    assert state["boards"][f"rpi4 at {left.address}"] == "working"
    assert state["trials"] == len(tuned.candidates(records)) == 20
    assert len({trial["board"] for trial in tuned.lines(records, "trials")} - {""}) == 1

    # Emulated times are never shown as a Pi's.
    assert state["emulated"] is True
    assert "emulated: these times say nothing of the speed of a rpi4" in log.read_text()
    found = tuned.lines(records, "records")
    assert all(record["board"].startswith("emulated ") for record in found)
    before = tuned.untuned(records)
    kernels = {kernel["name"] for kernel in state["kernels"]}
    assert len(before) == len(set(before)) == len(kernels)

    until(lambda: free_boards(keeper.address, "rpi4") == [left.address])
    resumed = cli("tune", *arguments, "--trials", 24)
    assert resumed.code == 0, resumed.err
    assert "24 of 24, 20 of them before" in resumed.err
    tried = tuned.candidates(records)
    assert len(tried) == len(set(tried)) == 24
    assert tuned.untuned(records) == before

    compiled = tmp_path / "tiny.so"
    done = cli("compile", *arguments[:7], "--records", records, "-o", compiled, "--json")
    assert done.code == 0, done.err
    report = done.json
    assert report["records"] == tuned.counts(records)
    assert report["records"]["of"] == len(before)
    assert report["warnings"] == []

    until(lambda: free_boards(keeper.address, "rpi4") == [left.address])
    x = np.random.default_rng(0).standard_normal((1, 8, 8, 8), np.float32)
    np.save(tmp_path / "x.npy", x)
    run_there = cli("run", compiled, "--input", "x.npy", "-o", "y.npy", *registered)
    assert run_there.code == 0, run_there.err
    with torch.no_grad():
        expected = runpy.run_path(str(model))["tiny"]()(torch.from_numpy(x)).numpy()
    result = np.load(tmp_path / "y.npy")
    assert np.abs(result - expected).max() < 1e-5 * np.ptp(expected)
