"""How small the quantized weights of dense layers are best chosen."""

from __future__ import annotations

from dataclasses import dataclass

LARGEST_SUM = 255
"""As large weights of codes may be together whose products are added in 16 bits: times the least
code, -128, they fit."""

_BYTE = 127
_TAKEN = 4  # products added in 16 bits that fit whatever the weights are


@dataclass(frozen=True)
class WeightBounds:
    """Bounds within which kernels take fewer instructions.

    Attributes
    ----------
    largest : int
        As large as each is.
    together : int
        As large as all even ones of 16 inner channels are together, and all odd ones; 0 where that
        makes no difference.
    """

    largest: int = _BYTE
    together: int = 0


BYTES = WeightBounds()
IN_PAIRS = WeightBounds(LARGEST_SUM // _TAKEN, LARGEST_SUM)
"""Of kernels that add products of codes in 16 bits, which lie in pairs."""
