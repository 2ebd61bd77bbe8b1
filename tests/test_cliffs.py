"""Random light networks: the same for a seed, compiled and right, and judged by their kernels."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

sys.path.insert(0, str(Path(__file__).parents[1]))  # tools/ is no package that is installed

from tools.cliffs.judge import Verdict, judge
from tools.cliffs.more_blocks import BLOCKS
from tools.cliffs.networks import RandomNetwork, random_network

SEEDS = (0, 1, 2)


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks_compute_what_torch_does(seed: int) -> None:
    verdict = judge(random_network(seed), "x86", seconds=0)
    assert verdict.failure is None
    assert verdict.error < 1e-4


def test_the_seeds_have_every_kind_of_block() -> None:
    kinds = {kind for seed in SEEDS for kind in random_network(seed).kinds}
    assert kinds == set(BLOCKS)


def test_a_seed_gives_the_same_network() -> None:
    first, second = random_network(5), random_network(5)
    assert (first.kinds, first.shape) == (second.kinds, second.shape)
    image = torch.ones(first.shape)
    assert torch.equal(first.module(image), second.module(image))


def test_what_cannot_be_compiled_is_a_finding() -> None:
    class Determinant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.linalg.det(x)

    verdict = judge(RandomNetwork("det", (), Determinant(), (1, 3, 8, 8)), "x86", 0)
    assert verdict.is_bad
    assert verdict.failure is not None
    assert "det" in verdict.failure


def test_slower_than_the_peer_is_a_finding() -> None:
    network = random_network(0)
    assert Verdict(network, ratio=0.9).is_bad
    assert not Verdict(network, ratio=1.1).is_bad
