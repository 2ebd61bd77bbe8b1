"""No sum loses digits by its length: operators that reduce, up to 4096x4096, against float64."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

import tvmlcnn

MOST = 5e-6
"""Of the largest output. Added up one by one, a million of equal numbers are off by 1e-2."""
OPERATORS: dict[str, Callable[[torch.Tensor], torch.Tensor]] = {
    "mean of maps": lambda x: x.mean((2, 3)),
    "mean of rows": lambda x: x.mean(3),
    "mean of columns": lambda x: x.mean(2),
    "mean of all": lambda x: x.mean(),
    "sum": lambda x: x.sum((1, 2, 3)),
    "nansum": lambda x: torch.nansum(x, (2, 3)),
    "variance": lambda x: x.var((2, 3)),
    "deviation of rows": lambda x: x.std(3),
    "global pooling": lambda x: F.adaptive_avg_pool2d(x, 1),
    "pooling to few pixels": lambda x: F.adaptive_avg_pool2d(x, 2),
    "pooling unevenly": lambda x: F.adaptive_avg_pool2d(x, 3),
    "large windows": lambda x: F.avg_pool2d(x, (x.shape[2] // 2, x.shape[3] // 3)),
    "windows that overlap": lambda x: F.avg_pool2d(x, 33, 16, 5),
    "area": lambda x: F.interpolate(x, size=(2, 3), mode="area"),
    "pooling of powers": lambda x: F.lp_pool2d(x, 2, (x.shape[2], x.shape[3])),
    "softmax": lambda x: F.softmax(x.flatten(2), 2),
    "softmax of columns": lambda x: F.softmax(x, 2),
    "its logarithm": lambda x: F.log_softmax(x.flatten(1), 1),
    "logsumexp": lambda x: torch.logsumexp(x, (2, 3)),
    "layer norm": lambda x: F.layer_norm(x, x.shape[1:]),
    "group norm": lambda x: F.group_norm(x, 1),
    "instance norm": F.instance_norm,
    "RMS norm": lambda x: F.rms_norm(x, x.shape[1:], eps=1e-6),
    "to unit length": lambda x: F.normalize(x.flatten(1), dim=1),
    "norm": lambda x: torch.linalg.vector_norm(x, 2, (2, 3)),
    "norm of one": lambda x: torch.linalg.vector_norm(x, 1, (2, 3)),
    "cosine": lambda x: F.cosine_similarity(x.flatten(1), x.flatten(1) * 0.5 + 1, 1),
    "running sum": lambda x: torch.cumsum(x.flatten(1), 1),
    "Gram matrix": lambda x: x.flatten(2) @ x.flatten(2).transpose(1, 2),
}
PRODUCTS = {"pooling to few pixels", "pooling unevenly"}
"""What windows of several sizes make products with a matrix of, whose sums have longer levels."""
MOST_OF_PRODUCTS = 2e-5
"""A thousand of equal numbers, added up one by one."""
CONSTANT = {"variance", "deviation of rows", "layer norm", "group norm", "instance norm"}
"""What of equal numbers is nothing but rounding."""


class Reducing(nn.Module):
    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = names

    def forward(self, x: torch.Tensor) -> list[torch.Tensor]:
        return [OPERATORS[name](x) for name in self.names]


def check(names: Sequence[str], shape: tuple[int, ...], folder: Path) -> None:
    """Compare operators with float64, for equal numbers, even ones and those far from zero."""
    network, path = Reducing(names), folder / "net.so"
    tvmlcnn.compile(network, "native", shape, output=path, check=False)
    model = tvmlcnn.load(path)
    random = np.random.default_rng(0)
    equal = np.full(shape, 0.1, np.float32)
    others = random.random(shape, np.float32), 10 + 0.1 * random.standard_normal(shape, np.float32)
    for data in (equal, *others):
        wanted = network(torch.from_numpy(data).double())
        for name, found, expected in zip(names, model(data), wanted, strict=True):
            if data is equal and name in CONSTANT:
                continue
            exact = expected.numpy()
            error = np.abs(found - exact).max() / np.abs(exact).max()
            most = MOST_OF_PRODUCTS if name in PRODUCTS else MOST
            assert error < most, (name, shape, error)


@pytest.mark.long
@pytest.mark.parametrize("part", range(3))
def test_a_large_map(part: int, tmp_path: Path) -> None:
    check(list(OPERATORS)[part::3], (1, 2, 600, 1000), tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", OPERATORS)
def test_the_largest_map(name: str, tmp_path: Path) -> None:
    check([name], (1, 1, 4096, 4096), tmp_path)


@settings(max_examples=4, deadline=None)
@given(
    name=st.sampled_from(sorted(OPERATORS.keys() - {"logsumexp"})),  # which takes LLVM a minute
    channels=st.integers(1, 9),
    size=st.tuples(st.integers(34, 2000), st.integers(34, 2000)),
)
def test_any_size(
    name: str, channels: int, size: tuple[int, int], tmp_path_factory: pytest.TempPathFactory
) -> None:
    channels = max(1, min(channels, 2_000_000 // (size[0] * size[1])))
    check([name], (1, channels, *size), tmp_path_factory.mktemp("sums"))
