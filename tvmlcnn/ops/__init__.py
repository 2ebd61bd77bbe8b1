"""TE definitions of the workloads that schedules are written for."""

from .convolution import Window, depthwise
from .dense import Prologue, dense, pack
from .tile import Tile

__all__ = ["Prologue", "Tile", "Window", "dense", "depthwise", "pack"]
