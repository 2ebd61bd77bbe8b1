"""Rules for NVIDIA GPUs; `dlight` takes what no other rule does."""

from .depthwise import DEPTHWISE
from .depthwise_pointwise import DEPTHWISE_POINTWISE
from .dlight import DLIGHT
from .dot_gemm import DOT_GEMM
from .elementwise import ELEMENTWISE
from .few_channels import FEW_CHANNELS
from .implicit_gemm import IMPLICIT_GEMM
from .limits import exceeded
from .pointwise_depthwise import POINTWISE_DEPTHWISE
from .pooling import POOLING
from .resample import RESAMPLE
from .row_product import ROW_PRODUCT
from .softmax import SOFTMAX
from .tensor_gemm import TENSOR_GEMM
from .winograd import WINOGRAD

__all__ = ["RULES", "exceeded"]

RULES = (
    DEPTHWISE,
    # Of few rows, before those of many.
    ROW_PRODUCT,
    FEW_CHANNELS,
    TENSOR_GEMM,
    DOT_GEMM,
    WINOGRAD,
    IMPLICIT_GEMM,
    POINTWISE_DEPTHWISE,
    DEPTHWISE_POINTWISE,
    POOLING,
    RESAMPLE,
    SOFTMAX,
    ELEMENTWISE,
    DLIGHT,
)
