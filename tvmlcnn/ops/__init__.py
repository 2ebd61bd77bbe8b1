"""TE definitions of the workloads that schedules are written for."""

from .convolution import Window, depthwise
from .dense import dense, pack
from .prologue import Prologue
from .tile import Tile
from .winograd import Blocking, transform_weights, winograd

__all__ = [
    "Blocking",
    "Prologue",
    "Tile",
    "Window",
    "dense",
    "depthwise",
    "pack",
    "transform_weights",
    "winograd",
]
