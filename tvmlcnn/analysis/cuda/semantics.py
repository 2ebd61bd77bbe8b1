"""What integer instructions compute: a function an opcode, of the lanes and the instruction.

Sources: NVIDIA's list of instructions (CUDA binary utilities) for what each is called; what a
modifier means is read off the code that nvcc makes of small kernels, which the tests run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from .machine import Lanes, Value, constant, following
from .operands import Operand, Uses, half_pair, width
from .sass import Instruction

_32 = np.uint64(32)
_MASK = np.uint64(0xFFFFFFFF)
_ONE = np.uint64(1)


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


def _widened(value: Value, unsigned: bool) -> Value:
    return value if unsigned else signed(value).view(np.uint64)


def _known(values: Sequence[np.ndarray | None]) -> list[np.ndarray] | None:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


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
    known = _known(parts)
    total = None if known is None else sum(known[1:], known[0])
    target = step.uses.written_register
    if target is not None:
        lanes.write(target, total)
    for number, name in enumerate(step.uses.written_predicates, 1):
        carried = None if total is None else (total >> _32) >= np.uint64(number)
        lanes.write_predicate(name, carried)


def _add(lanes: Lanes, step: Step) -> None:
    parts = [_addend(lanes, source) for source in step.values]
    _write_sum(lanes, step, [*parts, *_carries(lanes, step)])


def _multiply_add(lanes: Lanes, step: Step) -> None:
    first, second, *rest = step.values
    factors = _known([lanes.read(first), lanes.read(second)])
    target = step.uses.written_register
    if target is None:
        return
    if step.has("WIDE") or step.has("HI"):
        summand = lanes.read_pair(rest[0])
        total = None
        if factors is not None and summand is not None:
            a, b = (_widened(factor, step.has("U32")) for factor in factors)
            total = a * b + summand
        if step.has("WIDE"):
            lanes.write_pair(target, total)
            for name in step.uses.written_predicates:
                lanes.write_predicate(name, None)
        else:
            lanes.write(target, None if total is None else total >> _32)
        return
    product = None if factors is None else (factors[0] * factors[1]) & _MASK
    parts = [product, _addend(lanes, rest[0]) if rest else constant(0), *_carries(lanes, step)]
    _write_sum(lanes, step, parts)


def _shifted_add(lanes: Lanes, step: Step) -> None:
    """LEA: a shifted summand, and the other; with HI, what is shifted out of 64 bits."""
    first, second, *rest = step.values
    shift = np.uint64(int(rest[-1].value) if rest else 0)
    low, other = lanes.read(first), _addend(lanes, second)
    if not step.has("HI"):
        shifted = None if low is None else (low << shift) & _MASK
        _write_sum(lanes, step, [shifted, other, *_carries(lanes, step)])
        return
    high: Value | None
    if step.has("SX32"):
        high = None if low is None else (signed(low) >> 31).view(np.uint64) & _MASK
    else:
        high = lanes.read(rest[0])
    pair = _known([low, high])
    shifted = None if pair is None else (((pair[0] | (pair[1] << _32)) << shift) >> _32)
    _write_sum(lanes, step, [shifted, other, *_carries(lanes, step)])


def _shift(lanes: Lanes, step: Step) -> None:
    """SHF: a shift of 64 bits, or of one half of them."""
    first, by, second = step.values
    values = _known([lanes.read(first), lanes.read(by), lanes.read(second)])
    result = None
    if values is not None:
        low, shift, high = values
        shift = np.minimum(shift, np.uint64(63))
        pair = low | (high << _32)
        if step.has("L"):
            moved = pair << shift
        elif step.has("S32") or step.has("S64"):
            moved = (pair.view(np.int64) >> shift.astype(np.int64)).view(np.uint64)
        else:
            moved = pair >> shift
        result = moved >> _32 if step.has("HI") else moved
    lanes.write(step.uses.writes[0], result)


def _logic(lanes: Lanes, step: Step) -> None:
    """LOP3: any function of three bits, by its table."""
    *sources, table = step.values[:4]
    values = _known([lanes.read(source) for source in sources])
    result = None if values is None else _by_table(values, int(table.value)) & _MASK
    if (target := step.uses.written_register) is not None:
        lanes.write(target, result)
    for name in step.uses.written_predicates[:1]:
        lanes.write_predicate(name, None if result is None else result != 0)


def _by_table(values: Sequence[np.ndarray], table: int) -> np.ndarray:
    a, b, c = values
    result = np.zeros(1, a.dtype)
    for row in range(8):
        if table >> row & 1:
            result = result | (
                (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
            )
    return result


def _predicate_logic(lanes: Lanes, step: Step) -> None:
    values = _known([lanes.predicate(source) for source in step.predicates[:3]])
    for name, table in zip(step.uses.writes, step.values, strict=False):
        result = None if values is None else _by_table(values, int(table.value))
        lanes.write_predicate(name, result)


_COMPARE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "EQ": np.equal,
    "NE": np.not_equal,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
}
_STRICT = {"LE": "LT", "GE": "GT"}
_JOIN: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
}


def _compare(lanes: Lanes, step: Step) -> None:
    values = _known([lanes.read(source) for source in step.values])
    joined = _known([lanes.predicate(source) for source in step.predicates])
    results: list[np.ndarray | None] = [None, None]
    if values is not None and joined is not None:
        how = next(name for name in step.instruction.modifiers if name in _COMPARE)
        join = _JOIN[next(name for name in step.instruction.modifiers if name in _JOIN)]
        if not step.has("U32"):
            values = [signed(value) for value in values]
        a, b = values
        told = _COMPARE[_STRICT.get(how, how) if step.has("EX") else how](a, b)
        if step.has("EX"):  # the lower halves were compared before
            told = (a == b) & joined[1] if how == "EQ" else told | ((a == b) & joined[1])
        results = [join(told, joined[0]), join(~told, joined[0])]
    for name, result in zip(step.uses.writes, results, strict=False):
        lanes.write_predicate(name, result)


def _select(lanes: Lanes, step: Step) -> None:
    values = _known([*(lanes.read(source) for source in step.values)])
    chosen = lanes.predicate(step.predicates[-1])
    result = None if values is None or chosen is None else np.where(chosen, *values)
    lanes.write(step.uses.writes[0], result)


def _extreme(lanes: Lanes, step: Step) -> None:
    values = _known([lanes.read(source) for source in step.values])
    least = lanes.predicate(step.predicates[-1])
    result = None
    if values is not None and least is not None:
        if not step.has("U32"):
            values = [signed(value) for value in values]
        a, b = values
        result = np.where(least, np.minimum(a, b), np.maximum(a, b)).astype(np.uint64)
    lanes.write(step.uses.writes[0], result)


def _absolute(lanes: Lanes, step: Step) -> None:
    value = lanes.read(step.values[0])
    result = None if value is None else np.abs(signed(value)).astype(np.uint64)
    lanes.write(step.uses.writes[0], result)


def _permute(lanes: Lanes, step: Step) -> None:
    """PRMT: four of eight bytes."""
    first, which, second = step.values
    values = _known([lanes.read(first), lanes.read(second)])
    result = None
    if values is not None and which.kind == "number":
        pair = values[0] | (values[1] << _32)
        result = np.zeros(1, np.uint64)
        for at in range(4):
            nibble = int(which.value) >> (4 * at) & 0xF
            byte = pair >> np.uint64(8 * (nibble & 7)) & np.uint64(0xFF)
            if nibble & 8:
                byte = (byte >> np.uint64(7)) * np.uint64(0xFF)
            result = result | byte << np.uint64(8 * at)
    lanes.write(step.uses.writes[0], result)


def _dot(lanes: Lanes, step: Step) -> None:
    """IDP: products of pairs or of fours, added up; the compiler uses it for indices too."""
    values = _known([lanes.read(source) for source in step.values])
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


def _fast_path(lanes: Lanes, step: Step) -> None:
    """FCHK tells which quotients are not ordinary: none of them."""
    lanes.write_predicate(step.uses.writes[0], np.zeros(1, bool))


SEMANTICS: dict[str, Callable[[Lanes, Step], None]] = {
    **dict.fromkeys(("MOV", "UMOV", "MOV32I", "S2R", "S2UR", "R2UR", "LDC", "ULDC", "LDCU"), _move),
    **dict.fromkeys(("IADD3", "UIADD3", "VIADD", "UIADD", "IADD"), _add),
    **dict.fromkeys(("IMAD", "UIMAD"), _multiply_add),
    **dict.fromkeys(("LEA", "ULEA"), _shifted_add),
    **dict.fromkeys(("SHF", "USHF"), _shift),
    **dict.fromkeys(("LOP3", "ULOP3"), _logic),
    **dict.fromkeys(("PLOP3", "UPLOP3"), _predicate_logic),
    **dict.fromkeys(("ISETP", "UISETP"), _compare),
    **dict.fromkeys(("SEL", "USEL"), _select),
    **dict.fromkeys(("IMNMX", "VIMNMX", "UIMNMX"), _extreme),
    **dict.fromkeys(("PRMT", "UPRMT"), _permute),
    **dict.fromkeys(("HFMA2",), _half_pair),
    **dict.fromkeys(("LDL", "STL"), _stack),
    "CS2R": _clear,
    "IABS": _absolute,
    "IDP": _dot,
    "FCHK": _fast_path,
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
