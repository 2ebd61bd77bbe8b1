"""Instructions by their bytes: what they are in assembly, and of which kind."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence

from .machines import MACHINES, THUMB
from .profile import Code
from .programs import program

_UNKNOWN = "nop"  # for what LLVM cannot read, as Linux's helpers for 32 bits
_WIDE = (0b11101, 0b11110, 0b11111)  # begin the first half of an instruction of 32 bits in Thumb

_KINDS = {
    "fmla": re.compile(r"f(m[als]{2}|ml[as]l2?)\b|bf(mmla|dot|mlal[bt])\b|v(ml|fm)[as]\.f"),
    "dot": re.compile(
        r"v?(us|su|[us])dot\b|(us|[us])mmla\b|ml[as]\b|[us](ml[as]l|mull)2?\b"
        r"|vml[as]l?\.[iu]|vml[as]l?\.s|vmull\."
    ),
    "loads": re.compile(r"v?ld|v?pop\b"),
    "stores": re.compile(r"v?st|v?push\b"),
}
KINDS = (*_KINDS, "stack")
"""Kinds of instructions; one may be of several: ``stack`` are loads and stores."""

_VECTOR = re.compile(r"\b[vz]\d+\.|\b[qd]\d+\b")
_STACK = re.compile(r"\[sp\b|ia sp\b|db sp\b|(push|pop)\b")
_ADDRESS = re.compile(r"\S+ (?:.*\[)?(\w+)")  # of vldmia, the first operand
_TARGET = re.compile(r"(\S+) (\w+), (.*)")


def tally(block: Sequence[str]) -> Counter[str]:
    """Return how many instructions of each kind a block in assembly has.

    ``fmla`` are multiply-adds of vectors of floating point numbers, ``dot`` those of vectors of
    integers, with one product a sum or several, and widening products. ``stack`` are accesses by
    the stack pointer, or by a register that the block makes of it.
    """
    found: Counter[str] = Counter()
    of_stack: set[str] = set()
    for text in block:
        kinds = [kind for kind, form in _KINDS.items() if form.match(text)]
        found.update(kind for kind in kinds if kind in ("loads", "stores") or _VECTOR.search(text))
        if "loads" in kinds or "stores" in kinds:
            address = _ADDRESS.match(text)
            if _STACK.search(text) or (address and address[1] in of_stack):
                found["stack"] += 1
        if "stores" not in kinds and (target := _TARGET.match(text)):
            operation, register, operands = target.groups()
            of_stack.discard(register)
            if operation in ("add", "sub", "mov") and re.match(r"sp\b", operands):
                of_stack.add(register)
    return found


def assembly(codes: Iterable[Code], machine: str) -> dict[Code, list[str]]:
    """Return each block's instructions in assembly."""
    sets: dict[str, list[Code]] = {}
    for code in codes:
        thumb = machine == "armv7l" and is_thumb(code)
        sets.setdefault(THUMB if thumb else MACHINES[machine].triple, []).append(code)
    found: dict[Code, list[str]] = {}
    for triple, blocks in sets.items():
        every = sorted({instruction for code in blocks for instruction in code})
        texts = dict(zip(every, _disassemble(every, triple, machine), strict=True))
        found |= {code: [texts[instruction] for instruction in code] for code in blocks}
    return found


def is_thumb(code: Code) -> bool:
    """Tell whether a block of 32-bit ARM is in Thumb: nothing else says so.

    Some of its instructions then have two bytes, or all have four whose first half begins as no
    short instruction does (Arm Architecture Reference Manual, ARMv7-A, A6.1). Of ARM's, hardly any
    but jumps backwards look like that.
    """
    if any(len(each) == 2 for each in code):
        return True
    *_, last, condition = code[-1]
    return all(map(_is_wide, code)) and not (last == 0xFF and condition & 0xE == 0xA)


def _is_wide(instruction: bytes) -> bool:
    return int.from_bytes(instruction[:2], "little") >> 11 in _WIDE


def _disassemble(instructions: list[bytes], triple: str, machine: str) -> list[str]:
    """Return instructions in assembly, in their order."""
    if triple == THUMB:
        # QEMU counts the two bytes after a block of a page to its last instruction.
        instructions = [each if _is_wide(each) else each[:2] for each in instructions]
    # In brackets, what follows is read alike whatever becomes of it.
    lines = ["[" + " ".join(f"0x{byte:02x}" for byte in each) + "]" for each in instructions]
    # "it" makes those after it conditional, which are not those that follow it here.
    known = {n: "it" for n, each in enumerate(instructions) if triple == THUMB and _is_it(each)}
    for number in known:
        lines[number] = ""
    done = subprocess.run(
        [program("llvm-mc"), "--disassemble", f"--triple={triple}"]
        + [f"--mattr={MACHINES[machine].features}"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=False,
    )
    # What it cannot read it names by its line and leaves out, and then exits with 1.
    unread = re.findall(r"<stdin>:(\d+):\d+: warning: inv", done.stderr)
    known |= {int(line) - 1: _UNKNOWN for line in unread}
    texts = [
        " ".join(line.split())
        for line in done.stdout.splitlines()
        if line.startswith("\t") and not line.startswith("\t.")
    ]
    if len(texts) + len(known) != len(lines):
        raise RuntimeError(f"llvm-mc failed ({done.returncode}): {done.stderr.strip()[-500:]}")
    read = iter(texts)
    return [known[number] if number in known else next(read) for number in range(len(lines))]


def _is_it(instruction: bytes) -> bool:
    return len(instruction) == 2 and instruction[1] == 0xBF and bool(instruction[0] & 0xF)
