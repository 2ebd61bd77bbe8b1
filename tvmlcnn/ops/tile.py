"""What a workload tells its schedule: the tile that is accumulated in registers."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from tvm import tirx

ATTRIBUTE = "tvmlcnn.tile"


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
    """

    pixels: int
    vectors: int
    lanes: int

    @property
    def channels(self) -> int:
        """Channels of the tile."""
        return self.vectors * self.lanes

    @property
    def attrs(self) -> dict[str, list[tirx.IntImm]]:
        """The attributes of a block that is computed in such tiles."""
        return {ATTRIBUTE: [tirx.IntImm("int32", size) for size in asdict(self).values()]}
