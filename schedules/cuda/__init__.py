"""Rules for NVIDIA GPUs; `dlight` takes what no other rule does."""

from .depthwise import DEPTHWISE
from .dlight import DLIGHT
from .elementwise import ELEMENTWISE
from .implicit_gemm import IMPLICIT_GEMM
from .limits import exceeded
from .pooling import POOLING
from .row_product import ROW_PRODUCT

__all__ = ["RULES", "exceeded"]

RULES = (
    DEPTHWISE,
    # Of few rows, before those of many.
    ROW_PRODUCT,
    IMPLICIT_GEMM,
    POOLING,
    ELEMENTWISE,
    DLIGHT,
)
