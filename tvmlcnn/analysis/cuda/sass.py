"""Machine code of NVIDIA's GPUs as text: its instructions, read from what ``nvdisasm`` prints.

Source: the listing of ``nvdisasm -c`` (CUDA binary utilities); names of instructions and special
registers are those of its instruction set reference.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_LINE = re.compile(r"/\*([0-9a-f]{4,})\*/\s+(?:@(!?U?P\w+)\s+)?([A-Z][\w.]*)\s*([^;]*);")
_SECTION = re.compile(r"^\.text\.(\S+):$")
_LABEL = re.compile(r"^([.$]\S+):$")
_JUMP_TARGET = re.compile(r"`\(([^)]*)\)")


@dataclass(frozen=True)
class Instruction:
    """One instruction.

    Attributes
    ----------
    address : int
        Bytes from the begin of the kernel.
    guard : str
        The predicate that it is executed under, as in ``"!P0"``; empty if none.
    opcode : str
        As in ``"IMAD"``.
    modifiers : tuple of str
        As in ``("WIDE", "U32")``.
    operands : tuple of str
        Without ``.reuse``, which changes nothing.
    """

    address: int
    guard: str
    opcode: str
    modifiers: tuple[str, ...]
    operands: tuple[str, ...]

    def __str__(self) -> str:
        name = ".".join((self.opcode, *self.modifiers))
        guard = f"@{self.guard} " if self.guard else ""
        return f"{self.address:04x}: {guard}{name} {', '.join(self.operands)}"

    @property
    def kind(self) -> str:
        """The opcode; with the shape of what it multiplies, as in ``"HMMA.16816"``."""
        shaped = self.opcode in {"IDP", "HMMA", "IMMA"} and self.modifiers
        return f"{self.opcode}.{self.modifiers[0]}" if shaped else self.opcode

    @property
    def target(self) -> str | None:
        """The label that it may jump to, None where it names none."""
        found = _JUMP_TARGET.search(", ".join(self.operands))
        return found[1] if found else None


@dataclass(frozen=True)
class Listing:
    """The code of one kernel.

    Attributes
    ----------
    name : str
    instructions : list of Instruction
    labels : dict of str to int
        Positions in ``instructions``.
    """

    name: str
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


def listings(text: str) -> dict[str, Listing]:
    """Return the kernels of what ``nvdisasm -c`` prints, by their names."""
    found: dict[str, Listing] = {}
    current = None
    for line in map(str.strip, text.splitlines()):
        if (section := _SECTION.match(line)) is not None:
            current = found[section[1]] = Listing(section[1])
        elif line.startswith(".section"):
            current = None
        elif current is not None and (label := _LABEL.match(line)) is not None:
            current.labels[label[1]] = len(current.instructions)
        elif current is not None and (code := _LINE.search(line)) is not None:
            current.instructions.append(_instruction(*code.groups(default="")))
    return found


def _instruction(address: str, guard: str, name: str, operands: str) -> Instruction:
    opcode, *modifiers = name.split(".")
    return Instruction(int(address, 16), guard, opcode, tuple(modifiers), _operands(operands))


def _operands(text: str) -> tuple[str, ...]:
    """Split at the commas that stand in no brackets."""
    parts, depth = [""], 0
    for letter in text.replace(".reuse", "").strip():
        depth += (letter in "[(") - (letter in ")]")
        if letter == "," and not depth:
            parts.append("")
        else:
            parts[-1] += letter
    return tuple(part.strip() for part in parts if part.strip())
