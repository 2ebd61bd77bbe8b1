"""What a workload tells its schedule: the tile that is accumulated in registers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tvm import tirx

ATTRIBUTE = "tvmlcnn.tile"
WORKLOAD = "tvmlcnn.workload"


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
        float32 a vector.
    workload : str
        What it computes, as records of tuning know it; see `tvmlcnn.schedules.decisions`.
    """

    pixels: int
    vectors: int
    lanes: int
    workload: str = field(default="", compare=False)

    @property
    def channels(self) -> int:
        """Channels of the tile."""
        return self.vectors * self.lanes

    @property
    def attrs(self) -> dict[str, Any]:
        """The attributes of a block that is computed in such tiles."""
        sizes = (self.pixels, self.vectors, self.lanes)
        return {
            ATTRIBUTE: [tirx.IntImm("int32", size) for size in sizes],
            WORKLOAD: self.workload,
        }
