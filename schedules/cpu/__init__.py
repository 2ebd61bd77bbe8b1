"""Rules for CPUs; `default` takes what no other rule does."""

from .batched_product import BATCHED_PRODUCT
from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .depthwise_pairs import DEPTHWISE_PAIRS
from .depthwise_products import DEPTHWISE_PRODUCTS
from .grouped import GROUPED
from .normalization import NORMALIZATION
from .pointwise_depthwise import POINTWISE_DEPTHWISE
from .pooling import POOLING
from .reduction import REDUCTION
from .resample import RESAMPLE
from .rows import ROWS
from .softmax import SOFTMAX
from .strassen import STRASSEN
from .winograd import WINOGRAD

__all__ = ["RULES"]

RULES = (
    WINOGRAD,
    STRASSEN,
    DENSE,
    DEPTHWISE_PRODUCTS,
    DEPTHWISE_PAIRS,
    DEPTHWISE,
    POINTWISE_DEPTHWISE,
    GROUPED,
    POOLING,
    BATCHED_PRODUCT,
    RESAMPLE,
    NORMALIZATION,
    SOFTMAX,
    REDUCTION,
    ROWS,
    DEFAULT,
)
