"""Rules for CPUs; `default` takes what no other rule does."""

from .default import DEFAULT

__all__ = ["RULES"]

RULES = (DEFAULT,)
