"""Rules for NVIDIA GPUs."""

from .dlight import RULES

__all__ = ["RULES"]
