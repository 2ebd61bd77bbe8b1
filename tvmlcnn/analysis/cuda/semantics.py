"""What integer instructions compute: a function an opcode, of the lanes and the instruction.

Sources: NVIDIA's list of instructions (CUDA binary utilities) for what each is called; what a
modifier means is read off the code that nvcc makes of small kernels, which the tests run.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from .arithmetic import ARITHMETIC
from .logic import LOGIC
from .machine import Lanes, constant, following
from .operands import half_pair, width
from .steps import THIRTY_TWO, Step, all_known


def _move(lanes: Lanes, step: Step) -> None:
    (target, source) = step.uses.writes[0], step.uses.sources[-1]
    if step.has("64"):
        lanes.write_pair(target, lanes.read_pair(source))
    else:
        lanes.write(target, lanes.read(source))


def _stack(lanes: Lanes, step: Step) -> None:
    """LDL, STL: one word after the other."""
    (target, source) = step.uses.writes[0], step.uses.sources[-1]
    for _ in range(width(step.instruction) // 4 or 1):
        lanes.write(target, lanes.read(source))
        target = following(target)
        source = replace(source, name=following(source.name))


def _clear(lanes: Lanes, step: Step) -> None:
    zero = constant(0) if step.values[0].name == "SRZ" else None
    if step.has("32"):
        lanes.write(step.uses.writes[0], zero)
    else:
        lanes.write_pair(step.uses.writes[0], zero)


def _half_pair(lanes: Lanes, step: Step) -> None:
    """Multiplying zeros is how a constant comes into a register."""
    *factors, high, low = step.values
    moved = all(s.name == "RZ" for s in factors) and {high.kind, low.kind} <= {"float", "number"}
    value = constant(half_pair(float(high.value), float(low.value))) if moved else None
    lanes.write(step.uses.writes[0], value)


def _permute(lanes: Lanes, step: Step) -> None:
    """PRMT: four of eight bytes."""
    first, which, second = step.values
    values = all_known([lanes.read(first), lanes.read(second)])
    result = None
    if values is not None and which.kind == "number":
        pair = values[0] | (values[1] << THIRTY_TWO)
        result = np.zeros(1, np.uint64)
        for at in range(4):
            nibble = int(which.value) >> (4 * at) & 0xF
            byte = pair >> np.uint64(8 * (nibble & 7)) & np.uint64(0xFF)
            if nibble & 8:
                byte = (byte >> np.uint64(7)) * np.uint64(0xFF)
            result = result | byte << np.uint64(8 * at)
    lanes.write(step.uses.writes[0], result)


def _fast_path(lanes: Lanes, step: Step) -> None:
    """FCHK tells which quotients are not ordinary: none of them."""
    lanes.write_predicate(step.uses.writes[0], np.zeros(1, bool))


SEMANTICS: dict[str, Callable[[Lanes, Step], None]] = {
    **dict.fromkeys(("MOV", "UMOV", "MOV32I", "S2R", "S2UR", "R2UR", "LDC", "ULDC", "LDCU"), _move),
    **dict.fromkeys(("PRMT", "UPRMT"), _permute),
    **dict.fromkeys(("HFMA2",), _half_pair),
    **dict.fromkeys(("LDL", "STL"), _stack),
    "CS2R": _clear,
    "FCHK": _fast_path,
    **ARITHMETIC,
    **LOGIC,
}
"""The opcodes whose results are known; what any other writes is not."""


def execute(lanes: Lanes, step: Step) -> None:
    """Run an instruction on the lanes that are active."""
    if (meaning := SEMANTICS.get(step.instruction.opcode)) is not None:
        meaning(lanes, step)
        return
    for name in step.uses.writes:
        if "P" in name:
            lanes.write_predicate(name, None)
        else:
            lanes.write(name, None)
