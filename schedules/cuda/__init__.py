"""Rules for NVIDIA GPUs; `dlight` takes what no other rule does."""

from .dlight import DLIGHT

__all__ = ["RULES"]

RULES = (DLIGHT,)
