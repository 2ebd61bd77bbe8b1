"""What instructions compute that add, multiply and shift integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .machine import Lanes, Value, constant
from .operands import Operand
from .steps import MASK, THIRTY_TWO, Step, all_known, signed, widened

_ONE = np.uint64(1)


def _addend(lanes: Lanes, source: Operand) -> Value | None:
    """Return a summand whose negation carries, as that of a whole number of 32 bits does."""
    if not source.negated:
        return lanes.read(source)
    value = lanes.read(Operand(source.kind, source.name, source.value))
    return None if value is None else np.uint64(1 << 32) - value


def _carries(lanes: Lanes, step: Step) -> list[np.ndarray | None]:
    if not step.has("X"):
        return []
    values = [lanes.predicate(source) for source in step.predicates]
    return [None if value is None else value.astype(np.uint64) for value in values]


def _write_sum(lanes: Lanes, step: Step, parts: Sequence[np.ndarray | None]) -> None:
    known = all_known(parts)
    total = None if known is None else sum(known[1:], known[0])
    target = step.uses.written_register
    if target is not None:
        lanes.write(target, total)
    for number, name in enumerate(step.uses.written_predicates, 1):
        carried = None if total is None else (total >> THIRTY_TWO) >= np.uint64(number)
        lanes.write_predicate(name, carried)


def _add(lanes: Lanes, step: Step) -> None:
    parts = [_addend(lanes, source) for source in step.values]
    _write_sum(lanes, step, [*parts, *_carries(lanes, step)])


def _multiply_add(lanes: Lanes, step: Step) -> None:
    first, second, *rest = step.values
    factors = all_known([lanes.read(first), lanes.read(second)])
    target = step.uses.written_register
    if target is None:
        return
    if step.has("WIDE") or step.has("HI"):
        summand = lanes.read_pair(rest[0])
        total = None
        if factors is not None and summand is not None:
            a, b = (widened(factor, step.has("U32")) for factor in factors)
            total = a * b + summand
        if step.has("WIDE"):
            lanes.write_pair(target, total)
            for name in step.uses.written_predicates:
                lanes.write_predicate(name, None)
        else:
            lanes.write(target, None if total is None else total >> THIRTY_TWO)
        return
    product = None if factors is None else (factors[0] * factors[1]) & MASK
    parts = [product, _addend(lanes, rest[0]) if rest else constant(0), *_carries(lanes, step)]
    _write_sum(lanes, step, parts)


def _shifted_add(lanes: Lanes, step: Step) -> None:
    """LEA: a shifted summand, and the other; with HI, what is shifted out of 64 bits."""
    first, second, *rest = step.values
    shift = np.uint64(int(rest[-1].value) if rest else 0)
    low, other = lanes.read(first), _addend(lanes, second)
    if not step.has("HI"):
        shifted = None if low is None else (low << shift) & MASK
        _write_sum(lanes, step, [shifted, other, *_carries(lanes, step)])
        return
    high: Value | None
    if step.has("SX32"):
        high = None if low is None else (signed(low) >> 31).view(np.uint64) & MASK
    else:
        high = lanes.read(rest[0])
    pair = all_known([low, high])
    shifted = (
        None if pair is None else (((pair[0] | (pair[1] << THIRTY_TWO)) << shift) >> THIRTY_TWO)
    )
    _write_sum(lanes, step, [shifted, other, *_carries(lanes, step)])


def _shift(lanes: Lanes, step: Step) -> None:
    """SHF: a shift of 64 bits, or of one half of them."""
    first, by, second = step.values
    values = all_known([lanes.read(first), lanes.read(by), lanes.read(second)])
    result = None
    if values is not None:
        low, shift, high = values
        shift = np.minimum(shift, np.uint64(63))
        pair = low | (high << THIRTY_TWO)
        if step.has("L"):
            moved = pair << shift
        elif step.has("S32") or step.has("S64"):
            moved = (pair.view(np.int64) >> shift.astype(np.int64)).view(np.uint64)
        else:
            moved = pair >> shift
        result = moved >> THIRTY_TWO if step.has("HI") else moved
    lanes.write(step.uses.writes[0], result)


def _absolute(lanes: Lanes, step: Step) -> None:
    value = lanes.read(step.values[0])
    result = None if value is None else np.abs(signed(value)).astype(np.uint64)
    lanes.write(step.uses.writes[0], result)


def _dot(lanes: Lanes, step: Step) -> None:
    """IDP: products of pairs or of fours, added up; the compiler uses it for indices too."""
    values = all_known([lanes.read(source) for source in step.values])
    total: Value | None = None
    if values is not None:
        first, second, total = values
        pairs = step.has("2A")
        bits, from_byte = (16, 2 if step.has("HI") else 0) if pairs else (8, 0)
        # The types of the factors, each in its place: U16.U8, S8.S8.
        types = [name for name in step.instruction.modifiers if name[0] in "US"]
        kinds = [name.startswith("S") for name in types] if len(types) == 2 else [True, True]
        for at in range(2 if pairs else 4):
            a = _field(first, bits * at, bits, kinds[0])
            b = _field(second, 8 * (at + from_byte), 8, kinds[1])
            total = total + (a * b).view(np.uint64)
    lanes.write(step.uses.writes[0], total)


def _field(value: Value, shift: int, bits: int, is_signed: bool) -> np.ndarray:
    field = (value >> np.uint64(shift)).astype(np.int64) & ((1 << bits) - 1)
    return field - ((field >> (bits - 1)) << bits) if is_signed else field


ARITHMETIC: dict[str, Callable[[Lanes, Step], None]] = {
    **dict.fromkeys(("IADD3", "UIADD3", "VIADD", "UIADD", "IADD"), _add),
    **dict.fromkeys(("IMAD", "UIMAD"), _multiply_add),
    **dict.fromkeys(("LEA", "ULEA"), _shifted_add),
    **dict.fromkeys(("SHF", "USHF"), _shift),
    "IABS": _absolute,
    "IDP": _dot,
}
"""A function an opcode."""
