"""TE definitions of the workloads that schedules are written for."""

from .convolution import Window, dense, depthwise, pack
from .tile import Tile

__all__ = ["Tile", "Window", "dense", "depthwise", "pack"]
