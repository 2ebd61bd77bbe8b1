"""Counting networks beside other frameworks: the figures and the output."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from counting import needs_programs

sys.path.insert(0, str(Path(__file__).parents[1]))  # tools/ is no package that is installed

from tools.count import __main__ as program
from tools.count.peers import PEERS
from tools.count.results import Count, to_json
from tools.count.sysroots import sysroot
from tools.count.tables import print_count, print_kernels, print_prediction, print_summary
from tools.count.threads import Loops, predict, read_loops
from tools.run_command import run_command
from tvmlcnn import emulator
from tvmlcnn.analysis.counting import CORES, CountedFile, Figures
from tvmlcnn.runtime.manifest import KernelCall
from tvmlcnn.targets import DEVICES

OURS = Figures(8_000_000, 4_000_000, 0, 1_000_000, 500_000, 0, 6e6)
KERNEL = KernelCall("fused_conv", "dense", ("features.0", "features.1"), 32_000_000, 1000)


def count(**peers: Figures | str) -> Count:
    """Ours takes 6 M cycles, of which 1 M are outside of its kernel."""
    kernel, outside = replace(OURS, cycles=5e6), Figures(0, 0, 0, 0, 0, 0, 1e6)
    ours = CountedFile(CORES["cortex-a72"], ((KERNEL, kernel),), outside)
    return Count("net", "rpi4", "float32", ours.core, ours, peers)


def both() -> Count:
    return count(
        ncnn=replace(OURS, instructions=5_000_000, cycles=10e6),
        mnn=replace(OURS, instructions=10_000_000, cycles=8e6),
        litert="no wheel of it is for mips",
    )


def test_ratios_are_to_the_best_peer_by_each_figure() -> None:
    found = both()
    assert (found.best("instructions"), found.best("cycles")) == ("ncnn", "mnn")
    assert found.ratio("instructions") == pytest.approx(8 / 5)
    assert found.ratio("cycles") == pytest.approx(6 / 8)
    assert count().ratio("cycles") is None


def test_json_has_figures_or_a_reason() -> None:
    data = json.loads(json.dumps(to_json([both(), both()])))
    (network, _) = data["networks"]
    assert data["geometric_mean"]["cycles_ratio"] == network["cycles_ratio"] == 0.75
    assert network["tvmlcnn"]["cycles"] == 6e6
    assert network["peers"]["litert"] == {"reason": "no wheel of it is for mips"}
    assert network["kernels"][0]["layers"] == ["features.0", "features.1"]


def test_tables_are_sorted_and_name_what_is_missing(capsys: pytest.CaptureFixture[str]) -> None:
    print_count(both())
    lines = capsys.readouterr().out.splitlines()
    rows = [line.split() for line in lines if line[1:].startswith(("tvm", "MNN", "ncnn"))]
    assert [row[0] for row in rows] == ["tvmlcnn", "MNN", "ncnn"]
    assert [row[-1] for row in rows] == ["0.75", "1.00", "1.25"]
    assert any("LiteRT" in line and "mips" in line for line in lines)
    print_kernels(both().ours)
    assert "features.{0,1}" in capsys.readouterr().out
    print_prediction(predict(both().ours, {}, DEVICES["rpi4"], 4))
    assert "1.00 times as fast" in capsys.readouterr().out
    print_summary([both(), count()])
    assert capsys.readouterr().out.split("geometric mean")[1].split() == ["1.60", "0.75"]


def test_a_sysroot_says_which_core_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (emulator.home("aarch64") / "sysroot" / "usr").mkdir(parents=True)
    root = sysroot(CORES["cortex-a76"], tmp_path)
    assert (root / "usr").is_dir()
    info = (root / "proc/cpuinfo").read_text()
    assert info.count("processor") == 4
    assert "0xd0b" in info
    assert "asimddp" in info
    cpu = root / "sys/devices/system/cpu/cpu1"
    assert (cpu / "regs/identification/midr_el1").read_text() == "0x00000000414fd0b1\n"
    assert (cpu / "cache/index2/shared_cpu_list").read_text() == "1\n"
    assert (cpu / "cache/index3/shared_cpu_list").read_text() == "0-3\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["alexnet", "--peers", "caffe"], ", ".join(PEERS)),
        (["alexnet", "--most", "1"], "--peers"),
        (["alexnet", "--target", "x86"], "no model of"),
    ],
)
def test_mistakes_are_told_in_a_line(
    arguments: list[str],
    line: str,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("tools.count.programs.install", lambda: None)
    assert run(arguments, monkeypatch) == 2
    assert line in capfd.readouterr().err.splitlines()[-1]


def run(arguments: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(sys, "argv", ["tools.count", *arguments])
    return run_command(program.command)


@pytest.mark.parametrize(("most", "code"), [(0.7, 1), (0.8, 0)])
def test_more_cycles_than_a_bar_exit_with_one(
    most: float, code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tools.count.programs.install", lambda: None)
    monkeypatch.setattr("tools.count.count.count", lambda *rest: both())
    assert run(["alexnet", "--peers", "all", "--most", str(most)], monkeypatch) == code


def test_the_thread_with_most_work_decides() -> None:
    loops = {"fused_conv": Loops((6, 400), 0)}
    assert [loops["fused_conv"].share(threads) for threads in (1, 2, 4)] == [1, 1 / 2, 2 / 6]
    assert Loops((), 0).share(4) == 1  # nothing of it is parallel
    found = predict(both().ours, loops, DEVICES["rpi4"], 4)
    assert found.one == 6e6
    assert found.several == pytest.approx(1e6 + 5e6 * 2 / 6)
    assert found.balance == pytest.approx(5e6 * (2 / 6 - 1 / 4))
    assert found.memory == 0


def test_weights_that_no_cache_holds_are_waited_for() -> None:
    device = DEVICES["rpi4"]
    weights = 64 << 20
    found = predict(both().ours, {"fused_conv": Loops((400,), weights)}, device, 4)
    waits = weights / (device.bandwidth_gbs / device.clock_ghz)
    assert found.several == pytest.approx(1e6 + waits)
    assert found.memory == pytest.approx(waits - 5e6 / 4)
    held = predict(both().ours, {"fused_conv": Loops((400,), 1 << 19)}, device, 4)
    assert held.memory == 0


def test_loops_are_read_from_a_scheduled_module(tmp_path: Path) -> None:
    path = tmp_path / "20-schedule.py"
    path.write_text(
        "class Module:\n"
        '    def conv(x: T.Buffer((1, 8), "float32"), param_0: T.Buffer((3, 8), "float32")):\n'
        "        for i in T.parallel(12):\n"
        "        for j in T.parallel(7):\n"
        '    def pool(x: T.Buffer((1, 8), "float32")):\n'
        "        for i in range(8):\n"
    )
    assert read_loops(path) == {"conv": Loops((12, 7), 96), "pool": Loops((), 0)}


@pytest.mark.emulated("aarch64")
@needs_programs
def test_the_whole(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    network = "mobilenet_v1?width=0.25&resolution=32"
    assert run([network, "--threads", "4", "--json"], monkeypatch) == 0
    (found,) = json.loads(capsys.readouterr().out)["networks"]
    assert found["core"] == "cortex-a72"
    assert found["tvmlcnn"]["fmla"] > 0
    assert found["cycles_ratio"] is None
    assert found["threads"]["one"] > found["threads"]["several"]
