"""Reading and writing elements by their places against torch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from against_torch import compare

I0, I1 = torch.tensor([[0, -1], [1, 2]]), torch.tensor([1, -2])
I2 = torch.tensor([[3], [0]])
ALL = slice(None)
INDICES: list[Any] = [
    (I0,),
    (ALL, I1),
    (I0, I1),
    (I0, ALL, I2),
    (ALL, I1, I2),
    (I0, I1, I2),
    (None, I0),
    (ALL, None, I1),
    (1, I1),
    (I1, 2, slice(1, 3)),
    (I1, None, I1),
]


def _data(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("index", INDICES, ids=str)
def test_index_and_index_put(index: Any) -> None:
    data = _data(3, 5, 7)
    compare(lambda x: x[index], data)

    def put(x: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[index] = values
        return x

    compare(put, data, _data(*data[index].shape[-1:]))


def test_index_put_adds_up() -> None:
    places = torch.tensor([-1, 2, 2])
    compare(
        lambda x, v, i: x.index_put((i, i), v, accumulate=True), _data(3, 5, 7), _data(7), places
    )


def test_known_mask() -> None:
    mask = torch.tensor([True, False, True, True, False])

    def put(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, mask] = 2.5
        return x

    compare(put, _data(3, 5, 7))


def test_mask_of_the_input() -> None:
    def put(x: torch.Tensor) -> torch.Tensor:
        x = x.clone()
        x[:, x[0, :, 0] > 0] = 0.5
        return x

    compare(put, _data(3, 5, 7))


@pytest.mark.parametrize("dim", [0, 1, 2])
def test_gather_and_scatter(dim: int) -> None:
    data, source = _data(3, 5, 7), _data(3, 5, 7) * 2
    places = torch.randint(0, 3, (2, 4, 3), generator=torch.Generator().manual_seed(dim))
    compare(lambda x, i: x.gather(dim, i), data, places)
    compare(lambda x, i, s: x.scatter_add(dim, i, s), data, places, source)
    compare(lambda x, i: x.scatter(dim, i, 2.5), data, places)
    once = torch.arange(2).reshape([2 if axis == dim else 1 for axis in range(3)])
    compare(lambda x, i, s: x.scatter(dim, i, s), data, once, source)


@pytest.mark.parametrize("how", ["sum", "prod", "amax", "amin", "mean"])
@pytest.mark.parametrize("include_self", [True, False])
def test_scatter_reduce(how: str, include_self: bool) -> None:
    data, source = _data(3, 5, 7), _data(3, 5, 7) * 2
    source[0, 0, 0] = -float("inf")
    places = torch.randint(0, 5, (2, 4, 3), generator=torch.Generator().manual_seed(0))
    compare(
        lambda x, i, s: x.scatter_reduce(1, i, s, how, include_self=include_self),
        data,
        places,
        source,
    )


def test_elements_of_a_known_mask() -> None:
    """Their number is known too, and what is made of them."""
    mask = torch.tensor([True, False, True, True, False])
    both = torch.rand(3, 5, generator=torch.Generator().manual_seed(0)) > 0.5

    def taken(x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        part = x[:, mask]
        return part, part.flatten(1) * 2, part.reshape(part.shape[1] * 3, -1), x[both].mean(0)

    compare(taken, _data(3, 5, 7))
    compare(lambda x: x[..., torch.zeros(7, dtype=torch.bool)].sum(2), _data(3, 5, 7))
