"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .grouped import GROUPED
from .pooling import POOLING
from .winograd import WINOGRAD

__all__ = ["RULES"]

RULES = (DENSE, WINOGRAD, DEPTHWISE, GROUPED, POOLING, DEFAULT)
