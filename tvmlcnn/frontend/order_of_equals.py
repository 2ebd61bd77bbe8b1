"""Having torch take equal elements in their order, where it promises none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

aten = torch.ops.aten


class FirstOfEquals(TorchDispatchMode):
    """Sorts, and takes the largest or smallest, with equal elements from the first one on.

    ``topk`` and ``sort`` leave the order of equal elements open, and torch's depends on the size;
    a compiled model has them in their order. Scores that saturate are equal in their hundreds.
    """

    supports_higher_order_operators = True

    def __torch_dispatch__(
        self,
        func: Any,
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        given = kwargs or {}
        if func is aten.topk.default:
            return _topk(*args, **given)
        if func is aten.sort.default:
            return _sort(*args, **given)
        return func(*args, **given)


def _topk(
    data: torch.Tensor, k: int, dim: int = -1, largest: bool = True, sorted: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    values, places = _sort(data, dim, largest)
    if not data.dim():
        return values, places
    return values.narrow(dim, 0, k), places.narrow(dim, 0, k)


def _sort(
    data: torch.Tensor, dim: int = -1, descending: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    return aten.sort.stable(data, stable=True, dim=dim, descending=descending)
