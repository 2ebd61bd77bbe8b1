"""An instruction that is executed, and the numbers that it reads."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .machine import Value
from .operands import Operand, Uses
from .sass import Instruction

THIRTY_TWO = np.uint64(32)
MASK = np.uint64(0xFFFFFFFF)
"""Of what a register holds."""


class Step(NamedTuple):
    """An instruction with what it uses."""

    instruction: Instruction
    uses: Uses

    def has(self, modifier: str) -> bool:
        """Tell whether the instruction has a modifier."""
        return modifier in self.instruction.modifiers

    @property
    def values(self) -> tuple[Operand, ...]:
        """Its sources that are no predicates."""
        return tuple(s for s in self.uses.sources if s.kind != "predicate")

    @property
    def predicates(self) -> tuple[Operand, ...]:
        """Its sources that are predicates."""
        return tuple(s for s in self.uses.sources if s.kind == "predicate")


def signed(value: Value) -> np.ndarray:
    """Return 32 bits as int64."""
    return value.astype(np.uint32).view(np.int32).astype(np.int64)


def widened(value: Value, unsigned: bool) -> Value:
    """Return 32 bits as 64, of which a sign fills the upper ones."""
    return value if unsigned else signed(value).view(np.uint64)


def all_known(values: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    """Return the values, None where one of them is not known."""
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None
