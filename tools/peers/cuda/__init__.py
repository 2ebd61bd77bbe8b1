"""The comparison on an NVIDIA GPU, with torch's ways to run a network there."""

from .run import run

__all__ = ["run"]
