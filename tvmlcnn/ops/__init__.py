"""TE definitions of the workloads that schedules are written for."""

from .convolution import Tile, dense, depthwise, matrix, pack
from .grouped import diagonals, grouped, grouped_diagonals

__all__ = [
    "Tile",
    "dense",
    "depthwise",
    "diagonals",
    "grouped",
    "grouped_diagonals",
    "matrix",
    "pack",
]
