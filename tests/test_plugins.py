"""Networks, targets and rules of another package, which is installed beside tvmlcnn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tvmlcnn import UserError, plugins
from tvmlcnn.records import Record, Store

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny-nets"
version = "1.2"
[project.entry-points."tvmlcnn.models"]
tiny = "tiny_nets.zoo"
[project.entry-points."tvmlcnn.targets"]
tiny = "tiny_nets.boards:BOARDS"
[project.entry-points."tvmlcnn.rules"]
tiny = "tiny_nets.rules:RULES"
[tool.setuptools]
packages = ["tiny_nets"]
"""
ZOO = """
import torch
from tvmlcnn.models import register

@register(source="nobody", input_shape=(1, 3, 16, 16), labels=None)
def tiny_net(width: int = 8) -> torch.nn.Module:
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, width, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1)
    )
"""
BOARDS = """
from dataclasses import replace
from tvmlcnn.targets import DEVICES

BOARDS = [
    replace(DEVICES["x86"], name="tiny-board", summary="a board", clock_ghz=2.0, bandwidth_gbs=8.0)
]
"""
RULES = """
from dataclasses import dataclass
from tvm import te
from tvmlcnn.schedules import Definition, Plan, Pool, Rule

@dataclass(frozen=True)
class Layout:
    axes: int

def plan(layer, device, decisions):
    if not isinstance(layer, Pool) or layer.kind != "global average":
        return None

    def mean(data):
        height, width = (int(n) for n in data.shape[1:3])
        y, x = te.reduce_axis((0, height), "y"), te.reduce_axis((0, width), "x")

        def at(*place):
            value = data[place[0], y, x, place[-1]] / float(height * width)
            return te.sum(value, axis=[y, x])

        return te.compute(layer.shape, at, name="tiny_mean")

    workload = "tiny_mean of " + "x".join(map(str, layer.shape))
    layout, definition = Layout(len(layer.shape)), Definition(mean, takes_epilogue=False)
    return Plan("tiny_mean", layer.element, workload, layout, definition=lambda: definition)

def schedule(sch, plan, device, decisions):
    loops = sch.get_loops(sch.get_sblock("tiny_mean"))
    sch.parallel(sch.fuse(*loops[: plan.layout.axes]))
    if decisions.choose("unroll", [False, True]):
        sch.unroll(loops[-1])
    return sch

RULES = {"cpu": (Rule("tiny_mean", 7, Layout, plan, schedule),)}
"""


def tvmlcnn(*arguments: str | Path, packages: Path, cwd: Path) -> subprocess.CompletedProcess[str]:
    """Call the command with the packages of a folder."""
    path = os.pathsep.join([str(packages), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "tvmlcnn", *arguments]
    env = os.environ | {"PYTHONPATH": path}
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def installed(folder: Path, name: str, entry_points: str, **modules: str) -> Path:
    """Put modules into a folder as pip does, with entry points."""
    about = folder / f"{name}-0.1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
    (about / "entry_points.txt").write_text(entry_points)
    for module, text in modules.items():
        (folder / f"{module}.py").write_text(text)
    return folder


@pytest.mark.long
def test_another_package(tmp_path: Path) -> None:
    """Its network is compiled for its target, with its rule, and computes what torch does."""
    source, folder = tmp_path / "source", tmp_path / "installed"
    (source / "tiny_nets").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT)
    for name, text in {"__init__": "", "zoo": ZOO, "boards": BOARDS, "rules": RULES}.items():
        (source / "tiny_nets" / f"{name}.py").write_text(text)
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--no-index", "--target", folder, source], check=True)

    def run(*arguments: str) -> Any:
        done = tvmlcnn(*arguments, "--json", packages=folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    models = {model["name"]: model for model in run("models")["models"]}
    assert models["tiny_net"]["options"] == {"width": 8, "resolution": 16}
    assert models["tiny_net"]["input_shape"] == [1, 3, 16, 16]
    assert "mobilenet_v2" in models
    assert run("analyze", "tiny_net?width=2")["total"]["parameters"] == 2 * 3 * 9 + 2
    known = {target["name"]: target for target in run("targets")["targets"]}
    assert known["tiny-board"]["machine"] == "x86_64"
    assert "rpi4" in known

    compile = ["compile", "tiny_net", "--target", "tiny-board"]
    report = run(*compile)
    assert report["path"] == "tiny_net-tiny-board.so"
    assert len(report["kernels"]["tiny_mean"]) == 1
    assert report["check"]["max_error"] < 1e-5
    assert report["records"]["tuned"] == 0
    about = run("inspect", report["path"])
    assert (about["model"], about["target"]["name"]) == ("tiny_net", "tiny-board")

    # Its rule's version is known to what reads records.
    def found(version: int) -> tuple[Any, Any]:
        kernel = ("tiny_mean of 1x1x1x8", "tiny-board", "tiny_mean", version, 4)
        decided: dict[str, Any] = {"unroll": True}
        store = Store(tmp_path / f"version {version}")
        store.add(Record(*kernel, decided, 1.0, 2.0, "here", 3, "0.27", "0.1", "2026-11-25"))
        folder = ("--records", str(store.folder))
        (listed,) = run("records", "list", "--target", "tiny-board", *folder)["records"]
        return listed["stale"], run(*compile, "--no-check", *folder)["records"]["tuned"]

    assert found(7) == (False, 1)
    assert found(6) == (True, 0)


@pytest.mark.parametrize(
    ("zoo", "reason"),
    [
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (
            ZOO.replace("tiny_net", "alexnet"),
            "ValueError: the network 'alexnet' is registered twice, "
            "first by tvmlcnn.models.alexnet",
        ),
    ],
)
def test_a_package_that_cannot_be_loaded(zoo: str, reason: str, tmp_path: Path) -> None:
    points = "[tvmlcnn.models]\nmine = broken_nets\n"
    folder = installed(tmp_path / "installed", "broken", points, broken_nets=zoo)
    done = tvmlcnn("models", packages=folder, cwd=tmp_path)
    assert done.stderr == (
        "error: the entry point 'mine' of broken 0.1 (tvmlcnn.models) cannot be loaded: "
        f"{reason}; update or uninstall that package\n"
    )
    assert done.returncode == 2
    # What asks for no network does without it.
    assert tvmlcnn("targets", packages=folder, cwd=tmp_path).returncode == 0


def test_a_target_that_exists(tmp_path: Path) -> None:
    boards = BOARDS.replace("tiny-board", "rpi4")
    points = "[tvmlcnn.targets]\nmine = boards:BOARDS\n"
    folder = installed(tmp_path / "installed", "broken", points, boards=boards)
    done = tvmlcnn("targets", packages=folder, cwd=tmp_path)
    assert done.stderr == (
        "error: the entry point 'mine' of broken 0.1 (tvmlcnn.targets) adds the target 'rpi4', "
        "which exists already; update or uninstall that package\n"
    )
    assert done.returncode == 2


@pytest.mark.parametrize("listing", [("records", "list"), ("targets",)])
def test_tvm_is_not_loaded_where_there_are_none(listing: tuple[str, ...], tmp_path: Path) -> None:
    program = (
        "import sys, tvmlcnn.cli as cli\n"
        "try: cli.main()\n"
        "finally: print('tvm' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *listing],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.splitlines()[-1] == "False"


def test_each_is_loaded_once_and_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = "[a.group]\nfirst = once:table\nsecond = once\n[b.group]\nbad = failing:table\n"
    texts = {"once": "print('loaded')\ntable = [1]", "failing": "print('tried')\ntable = 1 / 0"}
    folder = installed(tmp_path, "several", points, **texts)
    monkeypatch.syspath_prepend(folder)
    found = [list(plugins.load("a.group")) for _ in range(2)]
    assert found[0][0] == ("the entry point 'first' of several 0.1 (a.group)", [1])
    assert found[0][1][1].table is found[0][0][1] is found[1][0][1]
    for _ in range(2):
        with pytest.raises(UserError, match=r"'bad' of several 0\.1 .*ZeroDivisionError"):
            list(plugins.load("b.group"))
    assert list(plugins.load("c.group")) == []
    assert capsys.readouterr().out.split() == ["loaded", "tried"]
