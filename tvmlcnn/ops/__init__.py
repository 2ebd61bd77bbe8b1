"""TE definitions of the workloads that schedules are written for."""

from .convolution import Tile, dense, depthwise, matrix, pack

__all__ = ["Tile", "dense", "depthwise", "matrix", "pack"]
