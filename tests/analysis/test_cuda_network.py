"""Counting a whole network: exactly repeatable, and no less than what it needs."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from click.testing import CliRunner
from cuda_kernels import nvcc

from tools.count_cuda.__main__ import command
from tools.count_cuda.tables import print_kernels, print_networks, to_json
from tvmlcnn.analysis.cuda import count_network
from tvmlcnn.analysis.cuda.kernels import MULTIPLY_ADDS, sampled_blocks
from tvmlcnn.targets import DEVICES


@pytest.mark.long
@pytest.mark.parametrize("dtype", ["float32", "float16", "tf32", "int8"])
def test_a_network(dtype: str, capsys: pytest.CaptureFixture[str]) -> None:
    nvcc("sm_87")
    model = "preresnet_cifar?depth=11"
    said = CliRunner().invoke(command, [model, "--json", "--dtype", dtype])
    (count,) = json.loads(said.stdout)["networks"]
    again = count_network(model, DEVICES["jetson-orin-nano"], dtype)
    assert json.loads(json.dumps(to_json([again])))["networks"] == [count]
    kernels = count["kernels"]
    assert not any(kernel["uncounted"] for kernel in kernels)
    did = sum((Counter(kernel["instructions"]) for kernel in kernels), Counter())
    # By Winograd's filtering a 3x3 convolution has 16 products for 36.
    least = count["macs"] * (16 / 36 if dtype == "float32" else 1)
    assert 32 * sum(did[name] * each for name, each in MULTIPLY_ADDS.items()) >= least
    assert (did["HMMA.16816"] > 0) == (dtype == "float16")
    assert (did["HMMA.1688"] > 0) == (dtype == "tf32")
    assert (did["IMMA.16832"] > 0) == (dtype == "int8")
    assert (count["instruction_ratio"] > 1) == (dtype == "float32")
    ratios = count["traffic_ratios"]
    assert 0.9 <= ratios["tensors"] <= ratios["blocks"] <= ratios["warps"]
    assert 0.9 * ratios["tensors"] <= ratios["waves"] <= 1.05 * ratios["blocks"]
    print_kernels(again)
    print_networks([again])
    tables = capsys.readouterr().out
    assert "blocks.0.shortcut" in tables
    assert "bar" in tables


def test_a_cpu_is_refused() -> None:
    result = CliRunner().invoke(command, ["mobilenet_v2", "--target", "x86"])
    assert "x86 is no GPU" in str(result.exception)


@pytest.mark.parametrize(("grid", "threads"), [((5, 2, 1), 256), ((1, 1, 1), 1024)])
def test_few_blocks_all_run(grid: tuple[int, int, int], threads: int) -> None:
    blocks, weights = sampled_blocks(grid, threads)
    expected = {(x, y, 0) for x in range(grid[0]) for y in range(grid[1])}
    assert {tuple(block) for block in blocks.tolist()} == expected
    np.testing.assert_array_equal(weights, 1)


def test_many_blocks_are_sampled() -> None:
    """The first and the last are among them, none twice, and weights add up to all."""
    blocks, weights = sampled_blocks((100, 30, 2), 256)
    assert len(blocks) == 32
    assert len(np.unique(blocks, axis=0)) == 32
    assert weights.sum() == pytest.approx(6000)
    assert (blocks < [100, 30, 2]).all()
    assert {(0, 0, 0), (99, 29, 1)} <= {tuple(block) for block in blocks.tolist()}
