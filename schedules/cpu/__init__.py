"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .grouped import GROUPED
from .pooling import POOLING

__all__ = ["RULES"]

RULES = (DENSE, DEPTHWISE, GROUPED, POOLING, DEFAULT)
