"""TE definitions of the workloads that schedules are written for."""

from .convolution import Window, dense, depthwise, pack
from .tile import Tile
from .winograd import Blocking, transform_weights, winograd

__all__ = [
    "Blocking",
    "Tile",
    "Window",
    "dense",
    "depthwise",
    "pack",
    "transform_weights",
    "winograd",
]
