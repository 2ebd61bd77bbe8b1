"""The modes of ``torch.nn.functional.interpolate``, for tests of resizing."""

from __future__ import annotations

RANKS = {
    "nearest": (1, 2, 3),
    "nearest-exact": (1, 2, 3),
    "linear": (1,),
    "bilinear": (2,),
    "trilinear": (3,),
    "bicubic": (2,),
}
"""Of how many dimensions each mode takes maps."""
