"""How an input that is wrong was answered."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

ANSWERED, CRASHED, WRONG, HUNG = OUTCOMES = ("answered", "crashed", "wrong", "hung")
"""Well: by a right result or a user's mistake in a line; by a traceback or a signal; by another
result; not at all."""


@dataclass(frozen=True)
class Verdict:
    """What became of one input.

    Attributes
    ----------
    kind : str
        What it was.
    case : str
        From which, by the same code, the same input is made again.
    outcome : str
        One of `OUTCOMES`.
    said : str
        The answer, in a line.
    """

    kind: str
    case: str
    outcome: str
    said: str


Verdicts = Generator[Verdict, None, None]
"""Of one input after another; what they need ends when it is closed."""
