"""Where a kernel goes: its straight pieces, and what in them decides about it.

The rest of a kernel is counted and not computed. Which instructions decide is a backward data flow,
Weiser 1981, "Program slicing": those that guards, jumps and addresses of global memory depend on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from .machine import following
from .operands import Operand, Uses, uses
from .sass import Instruction, Listing

GLOBAL_ACCESS = {"LDG", "STG", "LDGSTS", "LD", "ST", "RED", "ATOMG", "ATOM", "REDG"}
_JUMPS = {"BRA", "EXIT", "RET", "CALL", "JMP", "BRX", "JMX", "BPT", "BREAK", "KILL"}
_ENDS = {"BRA", "EXIT", "RET", "CALL", "JMP", "BRX", "JMX"}


@dataclass
class Piece:
    """Instructions that are executed one after the other.

    Attributes
    ----------
    first : int
        Its position in the kernel.
    instructions : list of Instruction
    computed : list of (Instruction, Uses)
        Those that have to be computed, jumps and accesses of global memory among them.
    """

    first: int
    instructions: list[Instruction]
    computed: list[tuple[Instruction, Uses]] = field(default_factory=list)

    @property
    def end(self) -> int:
        """The position behind it."""
        return self.first + len(self.instructions)


def pieces(kernel: Listing) -> dict[int, Piece]:
    """Return the pieces of a kernel by the position of their first instruction."""
    begins = {0, *kernel.labels.values()}
    for at, instruction in enumerate(kernel.instructions):
        if instruction.opcode in _ENDS:
            begins.add(at + 1)
    ordered = sorted(at for at in begins if at < len(kernel.instructions))
    ends = [*ordered[1:], len(kernel.instructions)]
    found = {
        begin: Piece(begin, kernel.instructions[begin:end])
        for begin, end in zip(ordered, ends, strict=True)
    }
    _mark(kernel, found)
    return found


def _successors(kernel: Listing, piece: Piece) -> list[int]:
    last = piece.instructions[-1]
    following_piece = [piece.end] if piece.end < len(kernel.instructions) else []
    target = kernel.labels.get(last.target or "")
    if last.opcode == "EXIT":
        return following_piece if last.guard else []
    if last.opcode == "RET":
        # Wherever it was called from.
        return [
            at + 1
            for at, instruction in enumerate(kernel.instructions)
            if instruction.opcode == "CALL"
        ]
    if last.opcode in {"BRA", "JMP", "CALL"} and target is not None:
        return [target, *following_piece]
    return following_piece


def _mark(kernel: Listing, found: dict[int, Piece]) -> None:
    """Find what has to be computed."""
    used = {
        begin: [(each, uses(each)) for each in piece.instructions] for begin, piece in found.items()
    }
    successors = {begin: _successors(kernel, piece) for begin, piece in found.items()}
    needed: dict[int, frozenset[str]] = dict.fromkeys(found, frozenset())
    changed = True
    while changed:
        changed = False
        for begin in sorted(found, reverse=True):
            wanted = {
                name for after in successors[begin] if after in found for name in needed[after]
            }
            computed = []
            for instruction, of in reversed(used[begin]):
                if _decides(instruction) or wanted.intersection(_written(instruction, of)):
                    computed.append((instruction, of))
                    if not instruction.guard:
                        wanted.difference_update(_written(instruction, of))
                    wanted.update(_read(instruction, of))
            found[begin].computed = computed[::-1]
            if wanted != needed[begin]:
                needed[begin], changed = frozenset(wanted), True


def _decides(instruction: Instruction) -> bool:
    return instruction.opcode in _JUMPS or instruction.opcode in GLOBAL_ACCESS


def _is_pair(instruction: Instruction) -> bool:
    return bool({"WIDE", "64"} & set(instruction.modifiers)) or instruction.opcode == "CS2R"


def _written(instruction: Instruction, of: Uses) -> set[str]:
    names = set(of.writes)
    if (first := of.written_register) is not None:
        count = 4 if "128" in instruction.modifiers else 2 if _is_pair(instruction) else 1
        for _ in range(count - 1):
            first = following(first)
            names.add(first)
    return names


def _read(instruction: Instruction, of: Uses) -> set[str]:
    names = {instruction.guard.lstrip("!")} if instruction.guard else set()
    access = instruction.opcode in GLOBAL_ACCESS
    for source in of.sources:
        if source.kind == "address" and access:
            names |= {name for name, _ in address_registers(source, instruction)}
        elif source.kind == "predicate":
            names.add(source.name)
        elif source.kind == "register" and not access:
            names.add(source.name)
            if {"WIDE", "HI", "64"} & set(instruction.modifiers):
                names.add(following(source.name))
            if instruction.opcode in {"LDL", "STL"} and "128" in instruction.modifiers:
                first = source.name
                names |= {first := following(first) for _ in range(3)}
    return names - {"RZ", "URZ", "PT", "UPT"}


def address_registers(source: Operand, instruction: Instruction) -> list[tuple[str, bool]]:
    """Return the registers of a global address, with the second of each pair; and which is so."""
    found: list[tuple[str, bool]] = []
    for term in address_terms(source):
        name, *modifiers = term.split(".")
        if not name.startswith(("R", "UR")) or name in {"RZ", "URZ"}:
            continue
        found.append((name, False))
        if "U32" not in modifiers:
            found.append((following(name), True))
    return found


def address_terms(source: Operand) -> list[str]:
    """Return the summands of an address, as in ``["R2.64", "0x10"]``."""
    inside = source.name[source.name.rindex("[") + 1 : source.name.rindex("]")]
    return [term.strip() for term in inside.split("+") if term.strip()]
