"""Channel shuffle, which lets grouped convolutions exchange information."""

from __future__ import annotations

import torch


def channel_shuffle(x: torch.Tensor, groups: int) -> torch.Tensor:
    """Deal the channels of the groups out in turn.

    Parameters
    ----------
    x : torch.Tensor
        ``(batch, groups · n, height, width)``; its channels are seen as ``(groups, n)``,
        transposed to ``(n, groups)`` and flattened (section 3.1 of arXiv:1707.01083).
    groups : int
    """
    return x.unflatten(1, (groups, -1)).transpose(1, 2).flatten(1, 2)
