"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .grouped import GROUPED
from .pointwise_depthwise import POINTWISE_DEPTHWISE
from .pooling import POOLING
from .softmax import SOFTMAX
from .winograd import WINOGRAD

__all__ = ["RULES"]

RULES = (WINOGRAD, DENSE, DEPTHWISE, POINTWISE_DEPTHWISE, GROUPED, POOLING, SOFTMAX, DEFAULT)
