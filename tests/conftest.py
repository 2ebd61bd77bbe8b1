"""Fixtures: small networks, compiled once, and the command line in this process."""

from __future__ import annotations

import copy
import functools
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import board_kernels
import pytest
import torch
from golden import Golden
from hypothesis import is_hypothesis_test, register_random
from lab import Lab

import tvmlcnn
from tvmlcnn import emulator
from tvmlcnn.cli import main
from tvmlcnn.runtime.preprocessing import Preprocessing

ROOT = Path(__file__).parent.parent


class TorchRandom:
    """Torch's random numbers, of which parameters are made, as hypothesis wants to hold them."""

    seed = staticmethod(torch.manual_seed)
    getstate = staticmethod(torch.get_rng_state)
    setstate = staticmethod(torch.set_rng_state)


# The same parameters for the same example, whichever tests ran before.
_RANDOM = TorchRandom()
register_random(_RANDOM)


@pytest.fixture(autouse=True)
def same_parameters() -> None:
    """Give a network the same parameters, whichever tests ran before in the same process."""
    torch.manual_seed(0)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files, and the versions of rules, as the code makes them now",
    )


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    """Compare texts with golden files, or write those."""
    return Golden(pytestconfig.getoption("--update-golden"))


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark property tests as long, and skip what needs an emulator that is not there."""
    for item in items:
        if isinstance(item, pytest.Function) and is_hypothesis_test(item.obj):
            item.add_marker("long")
        for marker in item.iter_markers("emulated"):
            (arch,) = marker.args
            if emulator.find(arch) is None:
                build = f"python tools/emulated_pi.py build --arch {arch}"
                item.add_marker(pytest.mark.skip(reason=f"no emulator: {build}"))


@dataclass(frozen=True)
class Result:
    """What a command printed and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)

    @property
    def error(self) -> str:
        """The one line that a user's mistake gives."""
        assert self.code == 2, self
        lines = [line for line in self.err.splitlines() if line.startswith("error: ")]
        assert len(lines) == 1, self.err
        assert "Traceback" not in self.err
        return lines[0]


Cli = Callable[..., Result]


@pytest.fixture
def cli(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Cli:
    """Call ``tvmlcnn`` with arguments, in an empty working folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["tvmlcnn", *map(str, arguments)])
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
        capsys.readouterr()
        try:
            with pytest.raises(SystemExit) as exit_:
                main()
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        captured = capsys.readouterr()
        return Result(int(exit_.value.code or 0), captured.out, captured.err)

    return run


@pytest.fixture(scope="session")
def samples() -> Path:
    """The folder with mobilenet_v2.pth, chelsea.png and coffee.png."""
    done = subprocess.run(
        [sys.executable, ROOT / "tools" / "samples.py"], check=True, capture_output=True, text=True
    )
    return Path(done.stdout.splitlines()[0]).parent


class SmallNet(torch.nn.Module):
    """The operators of a light CNN, in small."""

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        nn = torch.nn
        self.features = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1, bias=False),
            nn.BatchNorm2d(16),
            nn.ReLU6(),
            nn.Conv2d(16, 16, 3, 1, 1, groups=16),
            nn.BatchNorm2d(16),
            nn.Hardswish(),
            nn.Conv2d(16, 24, 1),
        )
        self.classifier = nn.Linear(24, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def randomized(module: torch.nn.Module) -> torch.nn.Module:
    """Give every parameter and statistic of normalization a value that matters."""
    generator = torch.Generator().manual_seed(0)
    for layer in module.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.5, generator=generator)
            layer.running_var.uniform_(0.5, 2, generator=generator)
            if layer.affine:
                layer.weight.data.uniform_(0.5, 2, generator=generator)
                layer.bias.data.normal_(0, 0.5, generator=generator)
    return module.eval()


@pytest.fixture(scope="session")
def small_net() -> torch.nn.Module:
    return randomized(SmallNet())


@pytest.fixture(scope="session")
def small_file(small_net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network, compiled for this machine's class of CPU."""
    path = tmp_path_factory.mktemp("compiled") / "small.so"
    tvmlcnn.compile(small_net, "x86", (1, 3, 32, 32), output=path)
    return path


@pytest.fixture(scope="session")
def small_arm_file(small_net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("compiled") / "small-arm.so"
    tvmlcnn.compile(small_net, "arm", (1, 3, 32, 32), output=path, check=False)
    return path


LABELS = ["cat", 'a "dog"', "back\\slash", "Schnüffler", "犬", "five", "six", "seven", "8", "nine"]
TARGETS = {"x86_64": "x86", "aarch64": "arm", "armv7l": "rpi2"}
"""For each machine."""


@pytest.fixture(scope="session")
def classifier(
    small_net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory
) -> Callable[[str], Path]:
    """Return the small network, with labels, compiled for a machine."""
    folder = tmp_path_factory.mktemp("classifier")
    net = copy.deepcopy(small_net)
    net.labels, net.preprocessing = LABELS, Preprocessing()

    @functools.cache
    def make(machine: str) -> Path:
        path = folder / f"{machine}.so"
        tvmlcnn.compile(net, TARGETS[machine], (1, 3, 32, 32), output=path, check=False)
        return path

    return make


@pytest.fixture(scope="session")
def resizing_file(small_net: torch.nn.Module, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network, compiled for frames of any size."""
    path = tmp_path_factory.mktemp("resizing") / "frames.so"
    net = copy.deepcopy(small_net)
    net.labels, net.preprocessing = LABELS, Preprocessing(crop_ratio=0.8)
    options = {"input": "uint8", "resize": True, "output": path}
    tvmlcnn.compile(net, "x86", (1, 3, 32, 40), **options)
    return path


@pytest.fixture
def lab() -> Iterator[Lab]:
    """Servers of boards and trackers, which end with the test."""
    with Lab() as lab:
        yield lab


@pytest.fixture(scope="session")
def board_library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Kernels that double, crash and hang, for this machine."""
    return board_kernels.build(tmp_path_factory.mktemp("kernels") / "kernels.so")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many of torch's samples were compared with torch."""
    reports = [*terminalreporter.getreports("passed"), *terminalreporter.getreports("failed")]
    for report in reports:
        for name, value in report.user_properties:
            if name == "torch's samples":
                operators, right = value
                terminalreporter.write_line(
                    f"{name}: {right} right, of {operators} operators ({report.nodeid})"
                )
