"""The tile that a kernel accumulates in registers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Tile:
    """The outputs that are accumulated in registers at a time.

    Attributes
    ----------
    pixels : int
        Rows of the tile: pixels of a map, or rows of a matrix.
    vectors : int
        Vectors of channels a row.
    lanes : int
        Elements a vector.
    """

    pixels: int
    vectors: int
    lanes: int

    @property
    def channels(self) -> int:
        """Channels of the tile."""
        return self.vectors * self.lanes
