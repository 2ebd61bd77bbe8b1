"""What a definition tells its schedule: the tile of its main block, and the workload."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tvm import te
from tvm.s_tir import Schedule

from tvmlcnn import ops
from tvmlcnn.ops import Blocking, Tile, Window

TILE = Tile(3, 2, 4, workload="conv2d")
BANDING = ops.Banding(2, 8, Tile(3, 2, 4), TILE)


def annotations(
    block: str, define: Callable[..., te.Tensor], *shapes: tuple[int, ...], **options: Any
) -> dict[str, Any]:
    """Return those of a block of a definition's function."""
    tensors = [te.placeholder(shape) for shape in shapes]
    result = define(*tensors, **options)
    schedule = Schedule(te.create_prim_func([*tensors, result]))
    return dict(schedule.get(schedule.get_sblock(block)).annotations.items())


def test_channels_of_a_tile() -> None:
    assert Tile(pixels=3, vectors=2, lanes=4).channels == 8


def test_a_tile_is_the_same_for_every_workload() -> None:
    assert Tile(3, 2, 4, workload="a") == Tile(3, 2, 4, workload="b") != Tile(3, 1, 4)


@pytest.mark.parametrize(
    ("block", "define", "shapes", "options"),
    [
        (
            "dense",
            ops.dense,
            [(4, 5), (1, 5, 8)],
            {"shape": (4, 8), "window": Window(), "tile": TILE},
        ),
        ("depthwise", ops.depthwise, [(1, 4, 4, 8), (3, 3, 8)], {"window": Window(), "tile": TILE}),
        (
            "grouped",
            ops.grouped,
            [(1, 4, 4, 6), (2, 1, 1, 3, 8)],
            {"channels": 16, "groups": 2, "window": Window(), "tile": TILE},
        ),
        (
            "grouped_diagonals",
            ops.grouped_diagonals,
            [(1, 4, 4, 8), (2, 3, 3, 2, 4)],
            {"window": Window(), "tile": TILE},
        ),
        (
            "winograd",
            ops.winograd,
            [(1, 4, 4, 3), (1, 4, 4, 3, 8)],
            {"channels": 8, "padding": (1, 1, 1, 1), "blocking": Blocking(2, TILE, 3)},
        ),
        (
            "pointwise_depthwise",
            ops.pointwise_depthwise,
            [(1, 4, 4, 3), (1, 3, 8), (3, 3, 8)],
            {
                "shape": (1, 2, 2, 8),
                "window": Window(),
                "banding": BANDING,
                "epilogue": lambda value: value,
            },
        ),
    ],
)
def test_the_main_block_knows_its_tile(
    block: str,
    define: Callable[..., te.Tensor],
    shapes: list[tuple[int, ...]],
    options: dict[str, Any],
) -> None:
    found = annotations(block, define, *shapes, **options)
    assert [int(size) for size in found["tvmlcnn.tile"]] == [3, 2, 4]
    assert found["tvmlcnn.workload"] == "conv2d"
