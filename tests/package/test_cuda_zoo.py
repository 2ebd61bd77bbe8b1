"""Every kernel of the zoo's networks for a GPU computes what torch does, inside of its arrays."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import randomized
from on_gpu import compare, compiled, compiler_here, gpu_here
from small_networks import SMALL

from tvmlcnn import frontend
from tvmlcnn.models import names
from tvmlcnn.quantization import quantized_network
from tvmlcnn.schedules import kernels_by_rule

pytestmark = pytest.mark.system

REGULAR = ("mobilenet_v2?width=0.35&resolution=64", "shufflenet_v2_x0_5?resolution=64")
"""Depthwise and pointwise layers; splits, shuffles and joins."""


# Codes next to where two of them meet are the other one for another rounding, and all after them:
# torch's own results move by 2 to 8 % of their range where one code of the input moves by a step.
# With these parameters no code is there.
MOST_OF_CODES, SEED = 1e-2, 1


def check(name: str, folder: Path, codes: bool = False) -> None:
    device = gpu_here()
    torch.manual_seed(SEED)
    network = frontend.resolve(name)
    randomized(network.module).eval()
    if codes:
        network, _ = quantized_network(network, "random", ())
    inputs = frontend.random_inputs(network.inputs)
    made = compiled(network.module, [inputs], device, compiler_here(device), folder)
    compare(network.module, inputs, *made, most=MOST_OF_CODES if codes else 1e-4, ways=1)
    if codes:
        assert len(kernels_by_rule(made[0].mod)["tensor_gemm"]) > 2


@pytest.mark.long
@pytest.mark.parametrize("name", REGULAR)
def test_some_small_configurations(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*SMALL} - {*REGULAR}))
def test_small_configurations(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", REGULAR)
def test_some_small_configurations_in_codes(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, codes=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted({*SMALL} - {*REGULAR}))
def test_small_configurations_in_codes(name: str, tmp_path: Path) -> None:
    check(name, tmp_path, codes=True)


@pytest.mark.slow
@pytest.mark.parametrize("name", names())
def test_every_entry(name: str, tmp_path: Path) -> None:
    check(name, tmp_path)
