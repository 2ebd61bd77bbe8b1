"""TE definitions of the workloads that schedules are written for."""

from .concatenation import concatenate
from .convolution import Tile, dense, depthwise, matrix, pack
from .grouped import diagonals, grouped, grouped_diagonals
from .pooling import average_pool, global_average, max_pool

__all__ = [
    "Tile",
    "average_pool",
    "concatenate",
    "dense",
    "depthwise",
    "diagonals",
    "global_average",
    "grouped",
    "grouped_diagonals",
    "matrix",
    "max_pool",
    "pack",
]
