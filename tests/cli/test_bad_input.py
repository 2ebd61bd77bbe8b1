"""Each mistake of a user: one line that says what was wrong, exit code 2, nothing half-written."""

from __future__ import annotations

import os
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import Cli

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 3, 3)
    def forward(self, x):
        return self.conv(x)
class Words(torch.nn.Module):
    def forward(self, x):
        return "words"
class Branches(torch.nn.Module):
    def forward(self, x):
        return x if x.sum() > 0 else -x
def broken():
    raise KeyError("no such layer")
def wrong():
    return 5
number = 5
"""


@pytest.fixture
def net(tmp_path: Path) -> str:
    (tmp_path / "net.py").write_text(NET)
    return "net.py:Net"


@pytest.fixture(autouse=True)
def nothing_is_written(tmp_path: Path) -> object:
    yield
    assert not [p for p in tmp_path.rglob("*") if ".so" in p.name and p.stat().st_size != 3]


@pytest.mark.parametrize(
    ("model", "words"),
    [
        ("mobilnet_v2", ["no model 'mobilnet_v2'", "mobilenet_v2", "tvmlcnn models"]),
        ("mobilenet_v2?widht=0.5", ["no option 'widht'", "width"]),
        ("mobilenet_v2?width=wide", ["width='wide'"]),
        ("net.py", ["net.py:FACTORY"]),
        ("none.py:Net", ["no such file: none.py"]),
        ("net.py:Nets", ["no 'Nets'", "Net"]),
        ("net.py:broken", ["broken() raised KeyError", "no such layer"]),
        ("net.py:wrong", ["wrong() returned int, no torch.nn.Module"]),
        ("net.py:number", ["number is a int"]),
        ("no.such.module:Net", ["cannot import no.such.module"]),
        ("none.pt2", ["no such file: none.pt2"]),
        ("bad.pt2", ["bad.pt2 is no program of torch.export.save"]),
        ("net.py:Words", ["returns str"]),
        ("net.py:Branches", ["torch.export cannot export"]),
    ],
)
def test_model(model: str, words: list[str], net: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.pt2").write_bytes(b"junk")
    ran = cli("compile", model, "--input-shape", "1x3x8x8")
    assert all(word in ran.error for word in words), ran.error
    lines = ran.err.splitlines()  # beside progress
    assert [line for line in lines if not line.endswith(" ...")] == [ran.error], lines


def test_broken_python_file(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text("def :")
    assert "cannot import bad.py: SyntaxError" in cli("compile", "bad.py:Net").error


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("x68", ["no target 'x68'", "x86", "tvmlcnn targets"]),
        ("rpi", ["no target 'rpi'", "rpi4"]),
        ('{"kind": "llvm"', ["no JSON"]),
        ('{"kind": "lvm"}', ["TVM does not take the target"]),
        ('{"kind": "cuda"}', ['"arch": "sm_87"']),
        ('{"kind": "opencl"}', ["opencl", "not supported"]),
        ('{"kind": "llvm", "mtriple": "mips-unknown-linux-gnu"}', ["mips"]),
        ('{"kind": "llvm", "mtriple": "x86_64-pc-windows-msvc"}', ["windows"]),
    ],
)
def test_target(target: str, words: list[str], cli: Cli) -> None:
    error = cli("compile", "mobilenet_v2", "--target", target).error
    assert all(word in error for word in words), error


@pytest.mark.parametrize(
    "shape", ["1x3xWxH", "1x3x0x8", "8", "1x4x8x8", "1x3x1x1", "1x3x99999999x999999"]
)
def test_input_shape(shape: str, net: str, cli: Cli) -> None:
    assert "shape" in cli("compile", net, "--input-shape", shape).error


def test_the_option_that_mends_it(
    net: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = cli("compile", net, "--input-shape", "1x4x8x8").error
    assert shape.endswith("give another shape (--input-shape)")
    assert cli("compile", net, "-o", "no/a.so").error.endswith("choose another (--output)")
    monkeypatch.setitem(sys.modules, "torchvision", None)
    weights = cli("compile", "mobilenet_v2", "--weights", "imagenet").error
    assert weights.endswith("pip install torchvision (--weights)")


@pytest.mark.parametrize("threads", ["0", "-2", "two"])
def test_threads(threads: str, net: str, cli: Cli) -> None:
    assert "threads" in cli("compile", net, "--threads", threads).error


class Evil:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.system, ("touch executed",)


def test_weights(net: str, cli: Cli, tmp_path: Path) -> None:
    good = torch.nn.Conv2d(3, 3, 3).state_dict()
    weight, bias = good["weight"], good["bias"]
    files: dict[str, object] = {
        "missing.pth": {"conv.weight": weight},
        "extra.pth": {"conv.weight": weight, "conv.bias": bias, "fc.weight": bias},
        "misshapen.pth": {"conv.weight": weight[:2], "conv.bias": bias},
        "tensor.pth": weight,
        "number.pth": {"conv.weight": 1.0},
        "evil.pth": Evil(),
    }
    for name, content in files.items():
        torch.save(content, tmp_path / name)
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps(Evil()))
    (tmp_path / "junk.pth").write_bytes(b"junk" * 100)
    (tmp_path / "junk.safetensors").write_bytes(b"junk" * 100)
    (tmp_path / "cut.pth").write_bytes((tmp_path / "extra.pth").read_bytes()[:500])
    for name, words in {
        "missing.pth": ["missing conv.bias"],
        "extra.pth": ["extra fc.weight"],
        "misshapen.pth": ["conv.weight is 2x3x3x3, the model's is 3x3x3x3"],
        "tensor.pth": ["no state dict"],
        "number.pth": ["no state dict"],
        "evil.pth": ["refused", "state_dict()"],
        "evil.pkl": ["refused"],
        "junk.pth": ["junk.pth"],
        "junk.safetensors": ["junk.safetensors is no weights file"],
        "cut.pth": ["cut.pth is no weights file"],
        "none.pth": ["no such weights file"],
    }.items():
        error = cli("compile", net, "--weights", name).error
        assert all(word in error for word in words), error
    assert not (tmp_path / "executed").exists()


def test_many_missing_keys_are_cut(cli: Cli, tmp_path: Path) -> None:
    torch.save({}, tmp_path / "empty.pth")
    error = cli("compile", "mobilenet_v2", "--weights", "empty.pth").error
    assert "missing features.0.0.weight" in error
    assert " more" in error
    assert len(error) < 400


@pytest.mark.parametrize("verb", ["run", "bench", "inspect"])
def test_files_that_are_no_models(verb: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "other.so").write_bytes(b"abc")
    more = ["--random"] if verb == "run" else []
    assert "no compiled model" in cli(verb, "other.so", *more).error
    assert "No such file" in cli(verb, "none.so", *more).error


def test_other_machine(cli: Cli, small_arm_file: Path) -> None:
    error = cli("run", small_arm_file, "--random").error
    assert "compiled for aarch64" in error


def test_images_and_arrays(cli: Cli, small_file: Path, tmp_path: Path) -> None:
    (tmp_path / "photo.jpg").write_bytes(b"no photo")
    np.save(tmp_path / "shape.npy", np.zeros((1, 3, 8, 8), np.float32))
    np.save(tmp_path / "dtype.npy", np.zeros((1, 3, 32, 32)))
    np.save(tmp_path / "objects.npy", np.array([{}], dtype=object))
    np.savez(tmp_path / "several.npz", np.zeros(3))
    cut = (tmp_path / "several.npz").read_bytes()[:-30]
    (tmp_path / "cut.npz").write_bytes(cut)
    with (tmp_path / "huge.npy").open("wb") as file:
        facts = {"descr": "<f4", "fortran_order": False, "shape": (1 << 50,)}
        np.lib.format.write_array_header_1_0(file, facts)
    os.mkfifo(tmp_path / "pipe.npy")
    good = np.zeros((1, 3, 32, 32), np.float32)
    np.save(tmp_path / "good.npy", good)
    for arguments, words in (
        (["--image", "photo.jpg"], ["photo.jpg is not an image"]),
        (["--image", "none.jpg"], ["no such image"]),
        (["--input", "shape.npy"], ["1x3x32x32", "1x3x8x8"]),
        (["--input", "dtype.npy"], ["float32", "float64"]),
        (["--input", "objects.npy"], ["objects.npy is no .npy array"]),
        (["--input", "photo.jpg"], ["photo.jpg is no .npy array"]),
        (["--input", "several.npz"], ["several arrays"]),
        (["--input", "cut.npz"], ["cut.npz is no .npy array"]),
        (["--input", "huge.npy"], ["huge.npy is no .npy array"]),
        (["--input", "pipe.npy"], ["pipe.npy is a pipe"]),
        (["--input", "good.npy", "--input", "good.npy"], ["takes 1 inputs, 2 were given"]),
        (["--input", "good.npy", "-o", "no/such/y.npy"], ["folder no/such does not exist"]),
        (["--input", "good.npy", "-o", "y.txt"], ["y.txt"]),
        (["--random", "--threads", "0"], ["threads=0"]),
        (["--random", "--image", "photo.jpg"], ["one of --image, --input and --random"]),
        ([], ["one of --image, --input and --random"]),
    ):
        error = cli("run", small_file, *arguments).error
        assert all(word in error for word in words), error


def test_output_folder(net: str, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    assert "folder no does not exist" in cli("compile", net, "-o", "no/a.so").error
    assert "is a folder" in cli("compile", net, "-o", "folder").error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a Linux kernel")
def test_full_folder_keeps_the_old_file(
    net: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Write to a device that is always full."""
    (tmp_path / "a.so").write_bytes(b"old")
    monkeypatch.setattr(
        "tempfile.mkstemp",
        lambda prefix, dir: (os.open("/dev/full", os.O_WRONLY), str(tmp_path / "gone")),
    )
    error = cli("compile", net, "-o", "a.so", "--no-check").error
    assert "cannot write a.so: No space left on device" in error
    assert (tmp_path / "a.so").read_bytes() == b"old"


@pytest.mark.parametrize(
    "arguments", [["compil", "x"], ["compile"], ["compile", "x", "--fast"], ["bench"]]
)
def test_command_line(arguments: list[str], cli: Cli) -> None:
    assert "--help" in cli(*arguments).error


def test_an_internal_failure_keeps_its_traceback(
    net: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from tvmlcnn import compiler
    from tvmlcnn.cli import main

    def fail(*arguments: object, **options: object) -> None:
        raise ZeroDivisionError

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(compiler.pipeline, "run", fail)
    monkeypatch.setattr(sys, "argv", ["tvmlcnn", "compile", net])
    with pytest.raises(ZeroDivisionError):
        main()
