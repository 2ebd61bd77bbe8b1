"""The zoo goes through the compiler: a small configuration a family, and, slow, all of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import randomized
from small_networks import SMALL

import tvmlcnn
from tvmlcnn.frontend import resolve
from tvmlcnn.models import names

pytestmark = pytest.mark.long


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
@pytest.mark.parametrize("name", names())
@pytest.mark.parametrize("target", ["x86", "arm", "cuda"])
def test_every_entry(name: str, target: str, tmp_path: Path) -> None:
    report = compile_as_trained(name, target, tmp_path / "net.so", check=target == "x86")
    assert report.size > 4 * sum(p.numel() for p in resolve(name).module.parameters()) * 0.9
    if target == "x86":
        assert report.check["max_error"] <= 1e-4
