"""The verbs, as a user calls them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli

from tvmlcnn.cli.output import print_json
from tvmlcnn.runtime.manifest import FORMAT

NET = """
import torch
class Net(torch.nn.Module):
    labels = ["cat", "dog", "bird"]
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3)
    def forward(self, x):
        return self.conv(x).mean((2, 3))
"""


def imported_by(*arguments: str) -> tuple[str, str, set[str]]:
    """Return what a command prints, and which heavy packages it imports."""
    program = (
        "import sys; sys.argv = ['tvmlcnn', *sys.argv[1:]]\n"
        "from tvmlcnn.cli import main\n"
        "try: main()\n"
        "except SystemExit: print(*{'torch', 'tvm', 'numpy'} & set(sys.modules), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    *lines, heavy = done.stderr.splitlines()
    return done.stdout, "".join(lines), set(heavy.split())


def test_help_is_light() -> None:
    verbs = (["compile"], ["run"], ["bench"], ["records"], ["records", "merge"])
    for arguments in (["--help"], *([*verb, "-h"] for verb in verbs)):
        out, _, heavy = imported_by(*arguments)
        assert "Usage:" in out
        assert not heavy & {"torch", "tvm"}


def test_lists_are_light() -> None:
    for verb, name in (("models", "mobilenet_v2"), ("targets", "rpi4")):
        out, _, heavy = imported_by(verb)
        assert name in out
        assert not heavy & {"torch", "tvm"}


@pytest.mark.parametrize("verb", ["compile", "tune", "analyze"])
def test_a_target_that_is_none_is_told_before_anything_is_loaded(verb: str) -> None:
    _, error, heavy = imported_by(verb, "mobilenet_v2", "--target", "arms")
    assert "did you mean arm?" in error
    assert not heavy & {"torch", "tvm"}


def test_compile_prints_a_table(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    result = cli("compile", "net.py:Net", "--target", "x86", "--input-shape", "1x3x16x16")
    assert result.code == 0
    rows = dict(line.split(maxsplit=1) for line in result.out.splitlines() if line.strip())
    assert rows["file"] == "Net-x86.so"
    assert rows["target"] == "x86"
    assert rows["kernels"].startswith("default: ")
    assert "max error" in rows["check"]
    assert "export" in rows["seconds"]
    assert result.err == ""  # phases are for a terminal, or who asks
    assert (tmp_path / "Net-x86.so").stat().st_size / 1e6 == pytest.approx(
        float(rows["size"].split()[0]), abs=0.05
    )


def test_compile_json(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    options = ["--input-shape", "1x3x16x16", "--no-check", "--threads", "1", "--json"]
    result = cli("compile", "net.py:Net", "-o", "a.so", *options)
    report = result.json
    assert result.err == ""
    assert list(report["seconds"])[:2] == ["load torch and TVM", "load model"]
    assert report["path"] == "a.so"
    assert report["size"] == (tmp_path / "a.so").stat().st_size
    assert report["check"]["skipped"] == "not asked for"
    assert "not done: not asked for" in cli("compile", "net.py:Net", *options[:-1]).out
    assert cli("inspect", "a.so", "--json").json["threads"] == 1


@pytest.mark.long
def test_model_forms(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "forms").mkdir()
    (tmp_path / "forms" / "__init__.py").write_text("")
    (tmp_path / "forms" / "small.py").write_text(NET + "\ndef factory():\n    return Net()\n")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 1), torch.nn.ReLU()).eval()
    program = torch.export.export(module, (torch.randn(1, 3, 8, 8),))
    torch.export.save(program, tmp_path / "saved.pt2")
    shape = ["--input-shape", "1x3x16x16"]
    for model, name, more in (
        ("forms/small.py:Net", "Net", shape),
        ("forms.small:factory", "factory", shape),
        ("saved.pt2", "saved", []),
        ("mobilenet_v2?width=0.25&resolution=32", "mobilenet_v2-width-0.25-resolution-32", []),
    ):
        report = cli("compile", model, *more, "--json").json
        assert report["path"] == f"{name}-x86.so"
        assert report["check"]["max_error"] < 1e-4
    assert cli("inspect", "saved-x86.so", "--json").json["inputs"][0]["shape"] == [1, 3, 8, 8]


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_weights(suffix: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    torch.manual_seed(3)
    conv = torch.nn.Conv2d(3, 3, 3)
    state = {f"conv.{key}": value.detach() for key, value in conv.state_dict().items()}
    path = tmp_path / f"w.{suffix}"
    if suffix == "pth":
        torch.save({"state_dict": {f"module.{k}": v for k, v in state.items()}}, path)
    else:
        from safetensors.torch import save_file

        save_file(state, path)
    shape = ["--input-shape", "1x3x16x16"]
    report = cli("compile", "net.py:Net", "--weights", path, *shape, "--json").json
    assert {"random", "image", "uniform"} <= set(report["check"]["cases"])
    x = np.random.default_rng(0).standard_normal((1, 3, 16, 16), dtype=np.float32)
    np.save(tmp_path / "x.npy", x)
    assert cli("run", "Net-x86.so", "--input", "x.npy", "-o", "y.npy").code == 0
    expected = conv(torch.from_numpy(x)).mean((2, 3)).detach().numpy()
    assert np.abs(np.load(tmp_path / "y.npy") - expected).max() < 1e-5


def test_run_prints_labels(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "net.py").write_text(NET)
    cli("compile", "net.py:Net", "--input-shape", "1x3x16x16")
    result = cli("run", "Net-x86.so", "--random")
    assert sorted(line.split()[1] for line in result.out.splitlines()) == ["bird", "cat", "dog"]
    scores = [float(line.split()[0]) for line in result.out.splitlines()]
    assert scores == sorted(scores, reverse=True)
    top = cli("run", "Net-x86.so", "--random", "--json").json["top"]
    assert [set(guess) for guess in top] == [{"label", "score"}] * 3
    assert sum(guess["score"] for guess in top) == pytest.approx(1)


def test_run_prints_the_classes_of_a_network_without_labels(cli: Cli, small_file: Path) -> None:
    ran = cli("run", small_file, "--random", "-o", "y.npy", "--json").json
    scores = np.load("y.npy").reshape(-1)
    best = np.argsort(-scores)[:5]
    assert ran["top"] == []
    assert [each["index"] for each in ran["outputs"][0]["largest"]] == best.tolist()
    values = [each["value"] for each in ran["outputs"][0]["largest"]]
    assert values == pytest.approx(scores[best].tolist())
    text = cli("run", small_file, "--random").out
    assert f"largest [{best[0]}] {scores[best[0]]:.4g}, [{best[1]}]" in text


def test_json_has_no_number_that_is_none(capsys: pytest.CaptureFixture[str]) -> None:
    print_json({"a": [float("nan"), 1.5, (float("-inf"),)], "b": {"c": float("inf"), "d": "x"}})
    strict = {"parse_constant": pytest.fail}
    assert json.loads(capsys.readouterr().out, **strict) == {
        "a": [None, 1.5, [None]],
        "b": {"c": None, "d": "x"},
    }


def test_report_of_a_board_has_what_its_times_depend_on(
    cli: Cli, small_file: Path, tmp_path: Path
) -> None:
    path = tmp_path / "board.json"
    assert cli("bench", small_file, "--seconds", 0, "--report", path).out == f"wrote {path}\n"
    report = json.loads(path.read_text())
    assert report["times"][0]["threads"] == 1
    assert all(times["p50"] > 0 for times in report["times"])
    assert report["file"]["target"] == "x86"
    assert report["board"]["machine"] == "x86_64"
    assert report["board"]["memory_mib"] > 100
    assert report["board"]["emulated"] is False
    assert set(report["before"]) == set(report["after"]) >= {"celsius", "governor", "throttled"}
    assert "--report" in cli("bench", small_file, "--report", path, "--threads", 1).error
    nowhere = tmp_path / "none" / "board.json"
    assert "does not exist" in cli("bench", small_file, "--report", nowhere).error


def test_bench(cli: Cli, small_file: Path) -> None:
    seen = cli("bench", small_file, "--threads", 1, "--seconds", 0.1, "--json").json
    assert 0 < seen["min"] <= seen["p50"] <= seen["p90"] <= seen["p99"]
    assert seen["threads"] == 1
    assert seen["runs_per_second"] == pytest.approx(1e3 / seen["p50"], rel=0.9)
    text = cli("bench", small_file, "--seconds", 0).out
    assert [line.split()[0] for line in text.splitlines()][:4] == ["min", "p50", "p90", "p99"]


def test_inspect_arm_file(cli: Cli, small_arm_file: Path) -> None:
    text = cli("inspect", small_arm_file).out
    assert "arm: aarch64 asimd" in text
    assert "float32 1x3x32x32" in text
    data = cli("inspect", small_arm_file, "--json").json
    assert data["target"]["machine"] == "aarch64"
    assert data["check"]["skipped"]


INTERRUPTED = {
    # As in imports that make dataclasses.
    "text": """exec("os.kill(os.getpid(), signal.SIGINT)\\nfor i in range(9): pass")""",
    "callback": """
class Passing:
    pass
def callback(reference):
    os.kill(os.getpid(), signal.SIGINT)
    for i in range(9):
        pass
passing = Passing()
reference = weakref.ref(passing, callback)
del passing
time.sleep(60)
""",
}


@pytest.mark.long
@pytest.mark.parametrize("where", sorted(INTERRUPTED))
def test_interrupt(where: str, tmp_path: Path) -> None:
    """In places where Python would forget it, or that it was handled."""
    (tmp_path / "net.py").write_text(f"import os, signal, time, weakref\n{INTERRUPTED[where]}")
    command = [sys.executable, "-m", "tvmlcnn", "analyze", "net.py:net"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=50)
    assert done.returncode == 130
    assert done.stderr.splitlines()[-1] == "interrupted"
    assert "ignored" not in done.stderr


def test_random_weights_are_told_wherever_they_are_met(cli: Cli, tmp_path: Path) -> None:
    """Of the zoo without --weights; nobody knows of a module that brings its own."""
    from tvmlcnn.models import create

    name, said = "mobilenet_v1?width=0.25&resolution=32", "the weights are random"
    compiled = cli("compile", name, "-o", "net.so", "--no-check")
    assert said in compiled.err
    assert "RANDOM" in compiled.out
    assert "RANDOM" in cli("inspect", "net.so").out
    assert cli("inspect", "net.so", "--json").json["random_weights"]
    ran = cli("run", "net.so", "--random", "--json")
    assert said in ran.err
    assert ran.json["random_weights"]
    torch.save({"model": create(name).module.state_dict()}, tmp_path / "net.pth")
    compiled = cli("compile", name, "-o", "net.so", "--no-check", "--weights", "net.pth", "--json")
    assert compiled.json["warnings"] == ["weights: under 'model'"]
    assert "warning: weights: under 'model'" in compiled.err
    assert "RANDOM" not in cli("inspect", "net.so").out
    assert said not in cli("run", "net.so", "--random").err
    (tmp_path / "net.py").write_text(NET)
    compiled = cli("compile", "net.py:Net", "--input-shape", "1x3x8x8", "--no-check")
    assert said not in compiled.err
    assert "RANDOM" not in compiled.out


def test_lists(cli: Cli) -> None:
    models = {model["name"]: model for model in cli("models", "--json").json["models"]}
    assert models["mobilenet_v2"]["input_shape"] == [1, 3, 224, 224]
    assert "width" in models["mobilenet_v2"]["options"]
    assert "mobilenet_v2" in cli("models").out
    names = {target["name"] for target in cli("targets", "--json").json["targets"]}
    assert names >= {"x86", "native", "arm", "rpi2", "rpi3", "rpi4", "rpi5", "cuda"}
    assert "jetson-orin-nano" in cli("targets").out


def test_installed_command(small_file: Path) -> None:
    command = [Path(sys.executable).with_name("tvmlcnn"), "inspect", small_file]
    done = subprocess.run([*command, "--json"], capture_output=True, check=True)
    assert json.loads(done.stdout)["format"] == FORMAT
    narrow = os.environ | {"COLUMNS": "40"}
    piped = subprocess.run(command, capture_output=True, env=narrow, text=True, check=True)
    assert any(len(line) > 60 for line in piped.stdout.splitlines())  # not wrapped in a pipe
