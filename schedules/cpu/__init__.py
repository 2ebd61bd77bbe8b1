"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .winograd import WINOGRAD

__all__ = ["RULES"]

RULES = (DENSE, WINOGRAD, DEPTHWISE, DEFAULT)
