"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT
from .dense import DENSE
from .depthwise import DEPTHWISE
from .grouped import GROUPED

__all__ = ["RULES"]

RULES = (DENSE, DEPTHWISE, GROUPED, DEFAULT)
