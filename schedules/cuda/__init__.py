"""Rules for NVIDIA GPUs; `dlight` takes what no other rule does."""

from .dlight import DLIGHT
from .limits import exceeded

__all__ = ["RULES", "exceeded"]

RULES = (DLIGHT,)
