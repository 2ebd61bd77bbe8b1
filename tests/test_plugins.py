"""Networks of another package, which is installed beside tvmlcnn."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tvmlcnn import UserError, plugins

PROJECT = """
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "tiny-nets"
version = "1.2"
[project.entry-points."tvmlcnn.models"]
tiny = "tiny_nets.zoo"
[tool.setuptools]
packages = ["tiny_nets"]
"""
ZOO = """
import torch
from tvmlcnn.models import register

@register(source="nobody", input_shape=(1, 3, 16, 16), labels=None)
def tiny_net(width: int = 4) -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Conv2d(3, width, 3), torch.nn.ReLU())
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


def test_networks_of_another_package(tmp_path: Path) -> None:
    source, folder = tmp_path / "source", tmp_path / "installed"
    (source / "tiny_nets").mkdir(parents=True)
    (source / "pyproject.toml").write_text(PROJECT)
    (source / "tiny_nets" / "__init__.py").write_text("")
    (source / "tiny_nets" / "zoo.py").write_text(ZOO)
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*install, "--no-index", "--target", folder, source], check=True)

    def run(*arguments: str) -> Any:
        done = tvmlcnn(*arguments, "--json", packages=folder, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    models = {model["name"]: model for model in run("models")["models"]}
    assert models["tiny_net"]["options"] == {"width": 4}
    assert models["tiny_net"]["input_shape"] == [1, 3, 16, 16]
    assert "mobilenet_v2" in models
    assert run("analyze", "tiny_net?width=2")["total"]["parameters"] == 2 * 3 * 9 + 2
    assert run("compile", "tiny_net", "--no-check", "-o", "tiny.so")["path"] == "tiny.so"
    assert run("inspect", "tiny.so")["model"] == "tiny_net"


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


def test_each_is_loaded_once_and_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    points = "[a.group]\nfirst = once:table\nsecond = once\n[b.group]\nbad = failing:table\n"
    texts = {"once": "print('loaded')\ntable = [1]", "failing": "print('tried')\ntable = 1 / 0"}
    folder = installed(tmp_path, "several", points, **texts)
    monkeypatch.syspath_prepend(folder)
    found = [list(plugins.load("a.group")) for _ in range(2)]
    assert found[0][0] == ("the entry point 'first' of several 0.1", [1])
    assert found[0][1][1].table is found[0][0][1] is found[1][0][1]
    for _ in range(2):
        with pytest.raises(UserError, match=r"'bad' of several 0\.1 .*ZeroDivisionError"):
            list(plugins.load("b.group"))
    assert list(plugins.load("c.group")) == []
    assert capsys.readouterr().out.split() == ["loaded", "tried"]
