"""`tvmlcnn tune`: budgets, what is on the disk, going on after any end, and what compile finds."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import tuned
from conftest import Cli
from lab import alive, descendants, until

from tvmlcnn.records import VERSIONS, Record, Store, Trial, journal
from tvmlcnn.targets import BFLOAT16, records_name

pytestmark = pytest.mark.long

TARGET = records_name(tuned.DEVICE)
SHAPE = ("--input-shape", "1x3x32x32", "--threads", 1)
ONE_TRIAL = ("--tasks", "features.3*", "--trials", 1)


@pytest.fixture
def nets(tmp_path: Path) -> Path:
    return tuned.write_nets(tmp_path)


# Codes, and numbers that numpy and TVM know as bits alone, where the machine computes in them.
TYPES: list[tuple[str, tuple[str, ...]]] = [("int8", ("--calibrate", "random"))]
if tuned.DEVICE.computes(BFLOAT16):
    TYPES.append((BFLOAT16.name, ()))


@pytest.mark.parametrize(("dtype", "options"), TYPES)
def test_fewer_bits(
    cli: Cli, nets: Path, tmp_path: Path, dtype: str, options: tuple[str, ...]
) -> None:
    records = tmp_path / "records"
    arguments = [f"{nets}:net", *SHAPE, "--records", records, "--dtype", dtype, *options]
    done = cli("tune", *arguments, "--trials", 6, "--space", "template", "--json")
    assert done.code == 0, done.err
    tried = [trial for trial in tuned.lines(records, "trials") if trial["decisions"]]
    assert len(tried) == 6
    assert all(trial["microseconds"] for trial in tried), "a kernel was told to be wrong"
    elements = {trial["dtype"] for trial in tuned.lines(records, "trials")}
    assert elements & ({"uint8", "int8"} if dtype == "int8" else {dtype})

    compiled = ["--target", "native", "-o", tmp_path / "net.so"]
    report = cli("compile", *arguments, *compiled, "--json").json
    assert report["records"]["tuned"] + report["records"]["default"] == len(tuned.untuned(records))


def test_from_budget_to_hits(cli: Cli, nets: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    arguments = [f"{nets}:net", *SHAPE, "--records", records]
    done = cli("tune", *arguments, "--trials", 12, "--json")
    assert done.code == 0, done.err
    state = done.json
    assert done.out.count("\n{") == 0
    assert state["trials"] == len(tuned.candidates(records)) == 12
    assert state["records"] == str(records)
    assert "12 of 12 trials" in done.err
    kernels = {kernel["name"]: kernel for kernel in state["kernels"]}
    assert all(kernel["gain"] >= 1 for kernel in kernels.values())
    before = tuned.untuned(records)
    assert len(before) == len(set(before)) == len(kernels)

    found = tuned.lines(records, "records")
    assert {record["workload"] for record in found} == set(before)
    for record in found:
        assert 0 < record["microseconds"] <= record["default_microseconds"]
        assert record["board"]
        assert record["threads"] == 1
        # Of a kernel for which nothing better was found: the default, with both its times.
        if not record["decisions"]:
            assert record["microseconds"] == record["default_microseconds"]

    again = cli("tune", *arguments, "--trials", 18, "--json")
    assert again.code == 0, again.err
    tried = tuned.candidates(records)
    assert again.json["trials"] == len(tried) == len(set(tried)) == 18
    assert "18 of 18, 12 of them before" in again.err
    assert tuned.untuned(records) == before
    for kernel in again.json["kernels"]:
        assert kernel["gain"] >= kernels[kernel["name"]]["gain"] * 0.999
        assert kernel["default_us"] == kernels[kernel["name"]]["default_us"]

    compiled = ["--target", "native", "-o", tmp_path / "net.so"]
    report = cli("compile", *arguments, *compiled, "--json").json
    assert report["records"] == tuned.counts(records)
    assert report["records"]["of"] == len(before)
    assert report["warnings"] == []

    path = records / TARGET / "records.jsonl"
    old = [json.loads(line) | {"version": 0} for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(record) + "\n" for record in old))
    report = cli("compile", *arguments, *compiled, "--no-check", "--json").json
    assert report["records"] == {"tuned": 0, "default": 0, "of": len(before)}
    assert f"stale records of {len(before)} kernels" in report["warnings"][0]


def test_layers_that_models_share_are_tuned_once(cli: Cli, nets: Path, tmp_path: Path) -> None:
    models = (f"{nets}:net", f"{nets}:other", f"{nets}:net")
    arguments = [*models, *SHAPE, "--records", "records", "--trials", 1, "--space", "template"]
    state = cli("tune", *arguments, "--json").json
    assert set(state["models"]) == {"net", "other"}
    shared = [kernel for kernel in state["kernels"] if len(kernel["calls"]) == 2]
    assert all(kernel["calls"] == {"net": 1, "other": 1} for kernel in shared)
    workloads = tuned.untuned(tmp_path / "records")
    classifiers = 2
    assert len(workloads) == len(set(workloads)) == len(shared) + classifiers == 5
    assert "default" not in {kernel["rule"] for kernel in state["kernels"]}


def test_two_factories_of_one_name(cli: Cli, nets: Path, tmp_path: Path) -> None:
    second = tmp_path / "second.py"
    second.write_text(nets.read_text().replace("SmallNet()", "SmallNet(5)"))
    models = (f"{nets}:net", f"{second}:net")
    state = cli("tune", *models, *SHAPE, "--records", "records", "--minutes", 0, "--json").json
    assert set(state["models"]) == {"net", f"{second}:net"}


def test_early_stop_and_patterns(cli: Cli, nets: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    arguments = [f"{nets}:net", *SHAPE, "--records", records, "--tasks", "features.3*"]
    done = cli("tune", *arguments, "--early-stop", 8, "--json")
    assert done.code == 0, done.err
    (kernel,) = done.json["kernels"]
    assert (kernel["rule"], kernel["done"]) == ("depthwise", True)
    count = len(tuned.candidates(records))
    assert count >= 8
    again = cli("tune", *arguments, "--early-stop", 8, "--json")
    assert len(tuned.candidates(records)) == count, "patience began anew"
    assert again.json["trials"] == count
    by_workload = cli(
        *("tune", f"{nets}:net", *SHAPE, "--records", "other", "--minutes", 0, "--json"),
        *("--tasks", "conv2d * groups 16"),
    )
    assert [kernel["rule"] for kernel in by_workload.json["kernels"]] == ["depthwise"]


def test_no_minutes(cli: Cli, nets: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    done = cli("tune", f"{nets}:net", *SHAPE, "--records", records, "--minutes", 0)
    assert done.code == 0, done.err
    assert tuned.lines(records, "trials") == []


def entries(workload: str, decisions: dict[str, Any], **changes: Any) -> tuple[Trial, Record]:
    key = {"workload": workload, "target": TARGET, "rule": "depthwise", "decisions": decisions}
    common = {"version": VERSIONS["depthwise"], "threads": 1, "board": "a", "date": "2026"}
    values = {**key, **common, **changes}
    gain = 2.0 if decisions else 1.0
    record = {"default_microseconds": 3.0, "trials": 1, "tvm": "0", "tvmlcnn": "0"}
    return (
        Trial(microseconds=3.0 / gain, error=None, detail="", **values),
        Record(microseconds=3.0 / gain, **record, **values),
    )


@pytest.fixture(scope="module")
def workload(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The workload of the one kernel of the network's ``features.3``."""
    folder = tmp_path_factory.mktemp("workload")
    arguments = [f"{tuned.write_nets(folder)}:net", *SHAPE, "--records", folder, *ONE_TRIAL]
    subprocess.run(tuned.tune_command(*arguments), check=True)
    (found,) = tuned.untuned(folder)
    return found


@pytest.mark.parametrize(
    ("changes", "taken"),
    [
        *(({}, True), ({"threads": 7}, False), ({"dtype": "int8"}, False)),
        ({"board": "emulated cortex-a72"}, False),
    ],
)
def test_what_was_measured_alike_is_gone_on_from(
    changes: dict[str, Any], taken: bool, workload: str, cli: Cli, nets: Path, tmp_path: Path
) -> None:
    """Not what was measured with other threads, of another element type, or by an emulator."""
    records = tmp_path / "records"
    store = Store(records)
    store.add(*entries(workload, {}, **changes))
    store.add(*entries(workload, {"unroll": False}, **changes))
    done = cli("tune", f"{nets}:net", *SHAPE, "--records", records, *ONE_TRIAL, "--json")
    (kernel,) = done.json["kernels"]
    assert tuned.untuned(records) == [workload] * (1 if taken else 2)
    if taken:
        assert (kernel["default_us"], kernel["best_us"], kernel["gain"]) == (3.0, 1.5, 2.0)
        assert len(tuned.candidates(records)) == 1
    else:
        assert kernel["default_us"] != 3.0
        assert len(tuned.candidates(records)) == 2


def test_kill_and_interrupt(cli: Cli, nets: Path, tmp_path: Path) -> None:
    records = tmp_path / "records"
    arguments = [f"{nets}:net", *SHAPE, "--records", records, "--tasks", "features.*"]

    def started(name: str) -> subprocess.Popen[bytes]:
        with (tmp_path / name).open("wb") as file:
            return subprocess.Popen(
                tuned.tune_command(*arguments), stderr=file, cwd=tmp_path, start_new_session=True
            )

    killed = started("killed")
    until(lambda: len(tuned.candidates(records)) >= 3, 120)
    helpers = descendants(killed.pid)
    assert len(helpers) >= 3  # what measures, and what builds, of one that the others come from
    killed.kill()
    killed.wait()
    until(lambda: not any(map(alive, helpers)), 30)
    first = len(tuned.candidates(records))
    before = tuned.untuned(records)

    stopped = started("stopped")
    until(lambda: len(tuned.candidates(records)) >= first + 1, 120)
    os.killpg(stopped.pid, signal.SIGINT)  # as a terminal does for Ctrl-C
    assert stopped.wait(60) == 130
    log = (tmp_path / "stopped").read_text()
    assert "Traceback" not in log
    assert log.splitlines()[-1] == "interrupted"
    assert f"{first} of them before" in log
    assert "GFLOP/s" in log  # the final table

    second = len(tuned.candidates(records))
    done = cli("tune", *arguments, "--trials", second + 4, "--json")
    tried = tuned.candidates(records)
    assert done.json["trials"] == len(tried) == len(set(tried)) == second + 4
    assert tuned.untuned(records) == before


def test_full_disk(cli: Cli, nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    records = tmp_path / "records"
    arguments = [f"{nets}:net", *SHAPE, "--records", records, "--trials", 8]
    arguments += ["--space", "template"]
    write, count = os.fsync, 0

    def fails(file: int) -> None:
        nonlocal count
        count += 1
        if count > 9:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write(file)

    with monkeypatch.context() as patch:
        patch.setattr(journal.os, "fsync", fails)
        full = cli("tune", *arguments)
    assert "No space left on device" in full.error
    assert full.error.endswith("run the same command again")
    assert "share" in full.err  # the table
    kept = tuned.lines(records, "trials")
    assert len(kept) + len(tuned.lines(records, "records")) == 9
    assert cli("tune", *arguments).code == 0
    assert tuned.lines(records, "trials")[: len(kept)] == kept
    assert len(tuned.candidates(records)) == 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--tasks", "nothing.*"], "no kernel of the space 'both' matches 'nothing.*'"),
        (["--space", "auto", "--tasks", "features.3"], "no kernel of the space 'auto'"),
        (["--tasks", "nothing.*"], " (--space, --tasks)"),
        (["--target", "rpi4"], "measure on a board that is (--device, --tracker)"),
        (["--key", "rpi4"], "go together"),
        (["--device", "127.0.0.1:1"], "does not answer"),
        (["--target", "rpi44"], "did you mean rpi4"),
    ],
)
def test_mistakes(arguments: list[str], message: str, cli: Cli, nets: Path) -> None:
    began = time.monotonic()
    assert message in cli("tune", f"{nets}:net", *SHAPE, "--records", "records", *arguments).error
    assert time.monotonic() - began < 60
    assert not Path("records").exists()


def test_without_xgboost_it_says_what_to_install(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert cli("tune", "mobilenet_v2").error == (
        "error: tuning needs xgboost: pip install 'tvmlcnn[tune]'"
    )
