"""Rules for NVIDIA GPUs; `dlight` takes what no other rule does."""

from .depthwise import DEPTHWISE
from .dlight import DLIGHT
from .implicit_gemm import IMPLICIT_GEMM

__all__ = ["RULES"]

RULES = (
    IMPLICIT_GEMM,
    DEPTHWISE,
    DLIGHT,
)
