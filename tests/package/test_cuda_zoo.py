"""Every kernel of the zoo's networks for a GPU computes what torch does, inside of its arrays."""

from __future__ import annotations

from pathlib import Path

import fake_gpu
import pytest
from conftest import randomized
from on_pocl import compare, compiled, gpu_here
from small_networks import SMALL

from tvmlcnn import frontend
from tvmlcnn.models import names

pytestmark = pytest.mark.system

REGULAR = ("mobilenet_v2?width=0.35&resolution=64", "shufflenet_v2_x0_5?resolution=64")
"""Depthwise and pointwise layers; splits, shuffles and joins."""


def check(name: str, folder: Path) -> None:
    device = gpu_here()
    network = frontend.resolve(name)
    module = randomized(network.module).eval()
    inputs = frontend.random_inputs(network.inputs)
    made = compiled(module, [inputs], device, fake_gpu.NoCompiler(), folder)
    compare(module, inputs, *made, most=1e-4, ways=1)


@pytest.mark.long
@pytest.mark.parametrize("name", REGULAR)
def test_some_small_configurations(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*SMALL} - {*REGULAR}))
def test_small_configurations(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_entry(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)
