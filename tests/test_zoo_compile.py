"""The zoo goes through the compiler: a small configuration a family, and, slow, all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import randomized
from networks import relative_error
from small_networks import SMALL

import tvmlcnn
from tvmlcnn.frontend import resolve
from tvmlcnn.models import names
from tvmlcnn.targets import DEVICES, Cpu

pytestmark = pytest.mark.long

PIS_OF_64_BITS = ("rpi3", "rpi4", "rpi5")


def compile_as_trained(name: str, target: str, path: Path, check: bool) -> tvmlcnn.Report:
    """Compile with statistics of batch norm that are not the identity, as after training."""
    network = resolve(name)
    module = randomized(network.module)
    return tvmlcnn.compile(module, target, network.input_shapes, output=path, check=check)


@pytest.mark.parametrize("name", SMALL)
def test_small_configuration(name: str, tmp_path: Path) -> None:
    report = compile_as_trained(name, "x86", tmp_path / "net.so", check=True)
    assert report.check["max_error"] <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize(
    "target",
    [
        pytest.param("rpi2", marks=pytest.mark.emulated("armv7l")),
        *(pytest.param(each, marks=pytest.mark.emulated("aarch64")) for each in PIS_OF_64_BITS),
    ],
)
def test_small_configuration_on_its_core(name: str, target: str) -> None:
    """Run in emulation of the core itself, which an instruction that it has not ends."""
    network = resolve(name)
    (shape,) = network.input_shapes
    device = DEVICES[target]
    assert isinstance(device, Cpu)
    assert relative_error(randomized(network.module), shape, device)[0] <= 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("target", ["x86", "arm", "cuda"])
def test_every_entry(name: str, target: str, tmp_path: Path) -> None:
    report = compile_as_trained(name, target, tmp_path / "net.so", check=target == "x86")
    assert report.size > 4 * sum(p.numel() for p in resolve(name).module.parameters()) * 0.9
    if target == "x86":
        assert report.check["max_error"] <= 1e-4
