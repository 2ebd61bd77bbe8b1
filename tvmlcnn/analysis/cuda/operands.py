"""What instructions read and write: registers, predicates, constants and addresses.

Registers are named with their number, as in ``R4`` and ``UR4`` (those of a whole warp), and words
of a thread's stack likewise, as in ``S4``; ``RZ``, ``URZ`` read as zero, ``PT`` and ``UPT`` as
true. A pair is named by its first register.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass

from .sass import Instruction

_REGISTER = re.compile(r"(U?R)(\d+|Z)")
_PREDICATE = re.compile(r"!?(U?P)(\d|T)")
_NUMBER = re.compile(r"-?(0x[0-9a-f]+|\d+(\.\d+)?(e[+-]?\d+)?)", re.IGNORECASE)
_CONSTANT = re.compile(r"c\[(0x[0-9a-f]+)\]\[(0x[0-9a-f]+)\]")
_ADDRESS = re.compile(r"\[([^\[\]]*)\]$")
_STACK = re.compile(r"\[R1(?:\+(0x[0-9a-f]+))?\]")
_SPECIAL = {"+INF": 0x7F800000, "-INF": 0xFF800000, "+QNAN": 0x7FFFFFFF, "INF": 0x7F800000}

# Instructions whose first operands are predicates that they write; their number.
_WRITE_PREDICATES = {
    **dict.fromkeys(("ISETP", "UISETP", "FSETP", "DSETP", "HSETP2", "PLOP3", "UPLOP3"), 2),
    **dict.fromkeys(("FCHK", "VOTE", "VOTEU", "PSETP", "USETP", "R2P"), 1),
}
_WRITE_NOTHING = {
    *("ST", "STG", "STS", "STL", "RED", "REDG", "BRA", "EXIT", "RET", "BAR", "BSSY", "BSYNC"),
    *("NOP", "WARPSYNC", "DEPBAR", "LDGDEPBAR", "MEMBAR", "ERRBAR", "CCTL", "LDGSTS", "CALL"),
    *("BREAK", "YIELD", "BMOV", "ARRIVES", "UBLKCP", "SYNCS", "PREEXIT", "ACQBULK", "CGAERRBAR"),
    *("NANOSLEEP", "BPT", "KILL", "FENCE", "LDGMC", "UTMALDG", "UTMASTG"),
}
_CARRY_OUT = {"IADD3", "UIADD3", "LEA", "ULEA", "IMAD", "UIMAD", "LOP3", "ULOP3", "SHFL"}
"""They may write predicates beside a register, before or behind it."""


@dataclass(frozen=True)
class Operand:
    """A source.

    Attributes
    ----------
    kind : str
        ``"register"``, ``"predicate"``, ``"number"`` (bits, where it is a float's), ``"constant"``
        (of a bank), ``"special"`` (a special register), ``"float"``, ``"address"`` or ``"other"``.
    name : str
        The register's or the text.
    value : int or float
        A number, or a bank's offset.
    negated, inverted : bool
        ``-`` for registers; ``~`` for registers and ``!`` for predicates.
    """

    kind: str
    name: str
    value: int | float = 0
    negated: bool = False
    inverted: bool = False


def operand(text: str) -> Operand:
    """Read one operand."""
    if (found := _PREDICATE.fullmatch(text)) is not None:
        return Operand("predicate", found[1] + found[2], inverted=text.startswith("!"))
    if text in _SPECIAL:
        return Operand("number", text, _SPECIAL[text])
    if (found := _NUMBER.fullmatch(text)) is not None:
        if found[1].lower().startswith("0x"):
            return Operand("number", text, int(text, 16))
        whole = "." not in found[1] and "e" not in found[1].lower()
        return Operand("float", text, int(text) if whole else float(text))
    negated, inverted = text.startswith("-"), text.startswith("~")
    bare = text.lstrip("-~|").rstrip("|")
    if (found := _CONSTANT.match(bare)) is not None:
        bank, offset = int(found[1], 16), int(found[2], 16)
        return Operand("constant", f"c{bank}", offset, negated, inverted)
    if text.startswith("SR_"):
        return Operand("special", text)
    if _ADDRESS.search(text) is not None:
        return Operand("address", text)
    if (found := _REGISTER.match(bare)) is not None:
        return Operand("register", found[1] + found[2], 0, negated, inverted)
    return Operand("other", text)


@dataclass(frozen=True)
class Uses:
    """What an instruction writes and reads: names of registers and predicates."""

    writes: tuple[str, ...]
    sources: tuple[Operand, ...]

    @property
    def written_predicates(self) -> tuple[str, ...]:
        """Of what it writes, the predicates, in their order."""
        return tuple(name for name in self.writes if "P" in name)

    @property
    def written_register(self) -> str | None:
        """The first of the registers that it writes."""
        return next((name for name in self.writes if "P" not in name), None)


def uses(instruction: Instruction) -> Uses:
    """Tell what an instruction writes, and what its sources are, in their order."""
    if (moved := _of_stack(instruction)) is not None:
        return moved
    if instruction.opcode in _WRITE_NOTHING:
        return Uses((), tuple(map(operand, instruction.operands)))
    rest = list(map(operand, instruction.operands))
    writes: list[str] = []
    count = _WRITE_PREDICATES.get(instruction.opcode, 0)
    if instruction.opcode in _CARRY_OUT:
        count = 2
    while count and rest and rest[0].kind == "predicate":
        writes.append(rest.pop(0).name)
        count -= 1
    if rest and rest[0].kind == "register" and not _only_predicates(instruction):
        writes.append(rest.pop(0).name)
        while instruction.opcode in _CARRY_OUT and count and _is_carry_out(instruction, rest):
            writes.append(rest.pop(0).name)
            count -= 1
    return Uses(tuple(writes), tuple(rest))


def _of_stack(instruction: Instruction) -> Uses | None:
    """Return a load or a store of a thread's stack as a move between registers and words of it.

    That is how spilled registers go; R1 points to it, and never moves.
    """
    if instruction.opcode not in {"LDL", "STL"}:
        return None
    operands = instruction.operands
    place, moved = operands if instruction.opcode == "STL" else reversed(operands)
    if (found := _STACK.fullmatch(place)) is None:
        return None
    word = f"S{int(found[1] or '0', 16) // 4}"
    if instruction.opcode == "LDL":
        return Uses((moved,), (Operand("register", word),))
    return Uses((word,), (operand(moved),))


def _only_predicates(instruction: Instruction) -> bool:
    return instruction.opcode in _WRITE_PREDICATES and instruction.opcode not in {"VOTE", "VOTEU"}


def _is_carry_out(instruction: Instruction, rest: list[Operand]) -> bool:
    return bool(rest) and rest[0].kind == "predicate" and not rest[0].inverted


def width(instruction: Instruction) -> int:
    """Return how many bytes a load or a store moves for a lane."""
    for modifier, size in (("128", 16), ("64", 8), ("U8", 1), ("S8", 1), ("U16", 2), ("S16", 2)):
        if modifier in instruction.modifiers:
            return size
    return 4


def half_pair(high: float, low: float) -> int:
    """Return the bits of two float16 in a register."""
    first, second = struct.pack("<e", high), struct.pack("<e", low)
    return struct.unpack("<I", second + first)[0]


def float_bits(value: float) -> int:
    """Return the bits of a float32."""
    return struct.unpack("<I", struct.pack("<f", value))[0]
