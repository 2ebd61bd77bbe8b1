"""The comparison with other frameworks, run as a user runs it."""

from __future__ import annotations

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # tools/ is no package that is installed

from tools.peers.frameworks import FRAMEWORKS, OURS, OURS_IN_FLOAT32

ROOT = Path(__file__).parents[1]
PNG = b"\x89PNG\r\n\x1a\n"


def peers(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tools.peers", *map(str, arguments)]
    return subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, timeout=1800, check=False
    )


def installed(name: str) -> bool:
    """Tell whether all packages of a framework are here."""
    try:
        for distribution in FRAMEWORKS[name].distributions:
            importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


@pytest.mark.long
def test_every_installed_framework_runs_a_network(tmp_path: Path) -> None:
    picture = tmp_path / "bars.png"
    done = peers(
        "mobilenet_v3_small?resolution=64",
        "--rounds=1",
        "--json",
        f"--work={tmp_path}",
        f"--plot={picture}",
    )
    assert done.returncode == 0, done.stderr
    (network,) = json.loads(done.stdout)["networks"]
    assert network["peak_gflops"] > 1
    rows = {row["name"]: row for row in network["frameworks"]}
    assert set(rows) == set(FRAMEWORKS) - {OURS_IN_FLOAT32}
    for name, row in rows.items():
        if installed(name):
            assert "reason" not in row, row
            assert row["agrees"], row
            assert 0 < row["min_ms"] <= row["median_ms"]
        else:
            assert row["reason"].endswith("is not installed")
    assert rows[OURS]["ratio_to_best_peer"] == pytest.approx(network["ratio_to_best_peer"])
    assert picture.read_bytes().startswith(PNG)


@pytest.mark.slow
def test_every_installed_framework_is_quantized_or_says_why_not(tmp_path: Path) -> None:
    done = peers(
        "squeezenet1_1?resolution=64", "--dtype=int8", "--rounds=1", "--json", f"--work={tmp_path}"
    )
    assert done.returncode == 0, done.stderr
    (network,) = json.loads(done.stdout)["networks"]
    rows = {row["name"]: row for row in network["frameworks"]}
    assert set(rows) == set(FRAMEWORKS)
    for name in (OURS, OURS_IN_FLOAT32, "onnxruntime", "xnnpack"):
        if installed(name):
            assert rows[name]["agrees"], rows[name]
    for row in rows.values():
        assert row["snr_db"] > 5 if "min_ms" in row else row["reason"]
    assert rows[OURS_IN_FLOAT32]["snr_db"] > 80
    assert network["ratio_to_float32"] > 0


@pytest.mark.long
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["mobilenet_v9"], "no model 'mobilenet_v9'"),
        (["mobilenet_v2", "--peers=tflite"], "--peers tflite: there are"),
        (["mobilenet_v2", "--threads=1000"], "--threads 1000"),
        (["mobilenet_v2", "--dtype=int4"], "'int4' is not one of"),
        (["mobilenet_v2", "--plot=bars.svg"], ".png"),
    ],
)
def test_a_users_mistake_is_one_line(arguments: list[str], said: str) -> None:
    done = peers(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1
    assert done.stderr.startswith("error: ")
    assert said in done.stderr
