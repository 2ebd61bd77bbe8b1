"""Compiling: what comes in, what comes out, and that it computes what torch does."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import SmallNet, randomized

import tvmlcnn
from tvmlcnn import emulator
from tvmlcnn.package import evaluate
from tvmlcnn.runtime import read_manifest

SHAPE = (1, 3, 32, 32)


def torch_result(module: torch.nn.Module, *inputs: np.ndarray) -> list[np.ndarray]:
    with torch.no_grad():
        result = module(*map(torch.from_numpy, inputs))
    return [t.numpy() for t in (result if isinstance(result, tuple) else (result,))]


def assert_close(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.shape == expected.shape
    assert actual.dtype == expected.dtype
    assert np.abs(actual - expected).max() <= 1e-4 * np.ptp(expected)


def test_result_is_torch_s(small_net: torch.nn.Module, small_file: Path) -> None:
    x = np.random.default_rng(5).standard_normal(SHAPE, dtype=np.float32)
    assert_close(tvmlcnn.load(small_file)(x), torch_result(small_net, x)[0])


def test_report(small_net: torch.nn.Module, tmp_path: Path) -> None:
    phases: list[str] = []
    path = tmp_path / "net.so"
    report = tvmlcnn.compile(
        small_net, "x86", SHAPE, output=path, threads=1, progress=phases.append
    )
    assert report.path == path
    assert report.size == path.stat().st_size
    assert sum(map(len, report.kernels.values())) == sum(report.manifest["kernels"].values()) > 2
    assert {"dense", "depthwise"} <= set(report.kernels)
    assert 0 < report.check["max_error"] < 1e-4
    assert list(report.seconds) == phases
    assert phases.index("export") < phases.index("schedule") < phases.index("check")
    _, manifest = read_manifest(path)
    assert manifest.json["check"] == report.check
    assert tvmlcnn.load(path).threads == 1
    assert [p.name for p in tmp_path.iterdir()] == ["net.so"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("target", "machine", "features"),
    [
        ("x86", "x86_64", {"avx2", "fma"}),
        ("arm", "aarch64", {"asimd"}),
        ("rpi2", "armv7l", {"neon", "vfpv4"}),
        ("rpi3", "aarch64", {"asimd"}),
        ("rpi4", "aarch64", {"asimd"}),
        ("rpi5", "aarch64", {"asimddp", "asimdhp"}),
        (
            '{"kind": "llvm", "mtriple": "aarch64-linux-gnu", "mcpu": "cortex-a73"}',
            "aarch64",
            {"asimd"},
        ),
    ],
)
def test_targets(
    target: str, machine: str, features: set[str], small_net: torch.nn.Module, tmp_path: Path
) -> None:
    report = tvmlcnn.compile(small_net, target, SHAPE, output=tmp_path / "net.so")
    elf, manifest = read_manifest(report.path)
    assert elf.machine == machine
    assert features <= set(manifest.json["target"]["features"])
    if machine != "x86_64" and emulator.find(machine) is None:
        assert "no emulator" in report.check["skipped"]
    else:
        assert report.check["max_error"] < 1e-4


def test_native_uses_this_processor(small_net: torch.nn.Module, tmp_path: Path) -> None:
    report = tvmlcnn.compile(small_net, "native", SHAPE, output=tmp_path / "net.so")
    assert report.check["max_error"] < 1e-4
    assert report.manifest["target"]["name"] == "native"
    assert tvmlcnn.load(report.path)(np.zeros(SHAPE, np.float32)).shape == (1, 10)


def test_32_bit_arm_is_hard_float(small_net: torch.nn.Module, tmp_path: Path) -> None:
    """A soft-float call of libm would return garbage; the flag is in the ELF header."""
    path = tmp_path / "net.so"
    triple = '{"kind": "llvm", "mtriple": "armv7l-linux-gnueabihf", "mattr": ["+neon"]}'
    for target in ("rpi2", triple):
        tvmlcnn.compile(small_net, target, SHAPE, output=path, check=False)
        flags = int.from_bytes(path.read_bytes()[36:40], "little")
        assert flags & 0x400, target


class Several(torch.nn.Module):
    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return x + y.mean(1, keepdim=True), x * 2


def test_several_inputs_and_outputs(tmp_path: Path) -> None:
    shapes = [(1, 4, 8, 8), (1, 2, 8, 8)]
    path = tmp_path / "several.so"
    tvmlcnn.compile(Several(), "x86", shapes, output=path)
    model = tvmlcnn.load(path)
    assert [spec.shape for spec in model.inputs] == shapes
    assert [spec.shape for spec in model.outputs] == [(1, 4, 8, 8)] * 2
    inputs = [np.random.default_rng(i).standard_normal(s, dtype="f4") for i, s in enumerate(shapes)]
    results = model(*inputs)
    assert isinstance(results, tuple)
    for actual, expected in zip(results, torch_result(Several(), *inputs), strict=True):
        assert_close(actual, expected)


def test_no_weights_at_all(tmp_path: Path) -> None:
    tvmlcnn.compile(torch.nn.ReLU(), "x86", (1, 4), output=tmp_path / "relu.so")
    result = tvmlcnn.load(tmp_path / "relu.so")(np.array([[-1, 0, 2, -3]], np.float32))
    assert result.tolist() == [[0, 0, 2, 0]]


def test_linking_needs_no_compiler(
    small_net: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    report = tvmlcnn.compile(small_net, "arm", SHAPE, output=tmp_path / "net.so", check=False)
    assert read_manifest(report.path)[0].machine == "aarch64"


def test_dump_ir_has_each_phase(small_net: torch.nn.Module, tmp_path: Path) -> None:
    folder = tmp_path / "ir" / "deep"
    tvmlcnn.compile(small_net, "x86", SHAPE, output=tmp_path / "n.so", check=False, dump_ir=folder)
    names = [path.name for path in sorted(folder.iterdir())]
    assert names[0] == "00-import.py"
    assert [name.partition("-")[0] for name in names] == [f"{i:02d}" for i in range(len(names))]
    assert "R.nn.batch_norm" in (folder / "00-import.py").read_text()
    assert "R.nn.batch_norm" not in (folder / "05-fold-batch-norm.py").read_text()


def computed_as(
    monkeypatch: pytest.MonkeyPatch, change: Callable[[list[np.ndarray]], list[np.ndarray]]
) -> None:
    """Have libraries compute something else than they do."""
    right = evaluate._run

    def changed(*arguments: Any) -> tuple[dict[str, list[np.ndarray]], np.ndarray | None]:
        results, times = right(*arguments)
        return {case: change(outputs) for case, outputs in results.items()}, times

    monkeypatch.setattr(evaluate, "_run", changed)


def test_wrong_code_is_not_published(
    small_net: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "net.so"
    path.write_bytes(b"the old file")
    computed_as(monkeypatch, lambda outputs: [y + np.float32(1e-3) for y in outputs])
    with pytest.raises(RuntimeError, match="something else than torch"):
        tvmlcnn.compile(small_net, "x86", SHAPE, output=path)
    assert path.read_bytes() == b"the old file"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.long
def test_interrupt_leaves_nothing(tmp_path: Path) -> None:
    """Interrupt the command while it works on several phases; the old file stays."""
    path = tmp_path / "squeezenet1_1-x86.so"
    path.write_bytes(b"the old file")
    for phase in ("legalize", "link", "write"):
        process = subprocess.Popen(
            [sys.executable, "-m", "tvmlcnn", "compile", "squeezenet1_1", "--no-check", "-v"]
            + ["--input-shape", "1x3x64x64"],
            cwd=tmp_path,
            stderr=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            text=True,
        )
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith(phase):
                process.terminate()
                break
        rest = process.stderr.read()
        assert process.wait() == 130, rest
        assert rest.strip().endswith("interrupted")
        assert [p.name for p in tmp_path.iterdir()] == [path.name], phase
        assert path.read_bytes() == b"the old file"


def test_deterministic_weights_are_shared(tmp_path: Path) -> None:
    """Equal weights are stored once."""
    layer = torch.nn.Conv2d(32, 32, 3, padding=1, bias=False)
    net = randomized(torch.nn.Sequential(*[layer] * 4))
    report = tvmlcnn.compile(net, "x86", (1, 32, 8, 8), output=tmp_path / "net.so")
    assert len(report.manifest["weights"]) == 1


def test_training_mode_is_left(tmp_path: Path) -> None:
    net = torch.nn.Sequential(SmallNet(), torch.nn.Dropout(0.9)).train()
    assert tvmlcnn.compile(net, "x86", SHAPE, output=tmp_path / "n.so").check["max_error"] < 1e-4


class Apply(torch.nn.Module):
    """A convolution, and a function of its result."""

    def __init__(self, function: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.function = torch.nn.Conv2d(3, 3, 1), function

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.function(self.conv(x.mul_(2)))


@pytest.mark.parametrize(
    "function",
    [
        lambda x: x ** (1 / 2.2),  # no number for much of normal noise
        lambda x: torch.sigmoid(x.mean((2, 3)) * 1e-7),  # three values a rounding step apart
        lambda x: torch.softmax(x.mean((2, 3))[:, :1], 1),  # all equal
        lambda x: (x + 1e4) - 1e4,  # three digits are left
        lambda x: x.mean((1, 2, 3)),  # one value has no range
    ],
)
def test_the_check_is_fair(
    function: Callable[[torch.Tensor], torch.Tensor], tmp_path: Path
) -> None:
    """Torch itself is no more exact; the module, which writes to its input, has its own."""
    report = tvmlcnn.compile(Apply(function), "x86", (1, 3, 8, 8), output=tmp_path / "net.so")
    assert report.check["max_error"] <= 1e-4
    assert {"random", "uniform", "zeros"} <= set(report.check["cases"])


def test_an_output_that_is_small_beside_another_is_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is measured by its own range."""

    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x * 1e6, x * 1e-6

    computed_as(monkeypatch, lambda outputs: [outputs[0], outputs[1] * np.float32(1.01)])
    with pytest.raises(RuntimeError, match="something else than torch"):
        tvmlcnn.compile(Two(), "x86", (1, 4), output=tmp_path / "net.so")


def test_a_model_that_is_random_is_refused(tmp_path: Path) -> None:
    net = Apply(torch.nn.functional.dropout)
    with pytest.raises(tvmlcnn.UserError, match=r"it is random|is random, as"):
        tvmlcnn.compile(net, "x86", (1, 3, 8, 8), output=tmp_path / "net.so")


def test_half_precision_is_widened(tmp_path: Path) -> None:
    net = randomized(SmallNet()).half()
    report = tvmlcnn.compile(net, "x86", SHAPE, output=tmp_path / "net.so")
    assert report.warnings == ["the weights are float16, and were widened to float32"]
    assert next(net.parameters()).dtype == torch.float16
