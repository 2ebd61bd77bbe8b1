"""The tile that a kernel accumulates in registers."""

from __future__ import annotations

from tvmlcnn.ops import Tile


def test_channels_of_a_tile() -> None:
    assert Tile(pixels=3, vectors=2, lanes=4).channels == 8
