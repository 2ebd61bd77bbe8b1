"""Instructions by their bytes: what they are in assembly, and of which kind."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable

from .machines import MACHINES, THUMB
from .profile import Code
from .programs import program

_UNKNOWN = "nop"  # for what LLVM cannot read, as Linux's helpers for 32 bits
_WIDE = (0b11101, 0b11110, 0b11111)  # begin the first half of an instruction of 32 bits in Thumb

_PRODUCT_SUMS = re.compile(r"v?f(n?m[als]{2}|mlal2?|mlsl2?)\b|v(ml[as]|fm[as])\.f")
_CODE_SUMS = re.compile(
    r"(us|su|[us])dot\b|us?mmla\b|smmla\b|[us]ml[as]l2?\b|[us]mull2?\b"
    r"|vml[as]l?\.[siu]|vmull\.|v[us]dot\b"
)
_KINDS = {
    "fmla": _PRODUCT_SUMS,
    "dot": _CODE_SUMS,
    "loads": re.compile(r"ld|vld|pop\b"),
    "stores": re.compile(r"st|vst|push\b"),
    "stack": re.compile(r"(ld|st|vld|vst)\S*\s.*\[sp\b|(push|pop|vpush|vpop)\b"),
}
KINDS = tuple(_KINDS)
"""Kinds of instructions; one may be of several: ``stack`` are loads and stores."""

# Vectors of floating point numbers, and of integers: other multiply-adds are not what is counted.
_FLOATS = re.compile(r"\bv\d+\.(2s|4s|4h|8h|2d|s|h)\b|\b[qd]\d+\b")
_ANY_VECTOR = re.compile(r"\bv\d+\.|\b[qd]\d+\b|\bz\d+\.")


def kinds(text: str) -> tuple[str, ...]:
    """Return the kinds of an instruction in assembly.

    ``fmla`` are multiply-adds of vectors of floating point numbers, in any of their forms; ``dot``
    those of vectors of integers, with one product a sum or several; ``stack`` are accesses by the
    stack pointer.
    """
    found = tuple(kind for kind, form in _KINDS.items() if form.match(text))
    if ("fmla" in found or "dot" in found) and not _ANY_VECTOR.search(text):
        return ()
    return found


def is_thumb(code: Code) -> bool:
    """Tell whether a block of 32-bit ARM is in Thumb: nothing else says so.

    Each of its instructions then has two bytes, or four whose first half begins as no short
    instruction does (Arm Architecture Reference Manual, ARMv7-A, A6.1). All of a block of ARM's
    seldom look like that: it would be a destination of lr or pc.
    """
    return all(
        len(each) == 2 or int.from_bytes(each[:2], "little") >> 11 in _WIDE for each in code
    )


def assembly(codes: Iterable[Code], machine: str) -> dict[Code, list[str]]:
    """Return each block's instructions in assembly."""
    blocks = list(codes)
    sets: dict[str, list[Code]] = {}
    for code in blocks:
        triple = MACHINES[machine].triple
        if machine == "armv7l" and is_thumb(code):
            triple = THUMB
        sets.setdefault(triple, []).append(code)
    found: dict[Code, list[str]] = {}
    for triple, those in sets.items():
        each = sorted({instruction for code in those for instruction in code})
        texts = dict(zip(each, _disassemble(each, triple, machine), strict=True))
        found |= {code: [texts[instruction] for instruction in code] for code in those}
    return found


def _disassemble(instructions: list[bytes], triple: str, machine: str) -> list[str]:
    """Return instructions in assembly, in their order."""
    lines = [" ".join(f"0x{byte:02x}" for byte in each) for each in instructions]
    done = subprocess.run(
        [program("llvm-mc"), "--disassemble", f"--triple={triple}"]
        + [f"--mattr={MACHINES[machine].features}"],
        input="\n".join(lines),
        capture_output=True,
        text=True,
        check=True,
    )
    # What it cannot read it names by its line and leaves out.
    unknown = {int(line) for line in re.findall(r"<stdin>:(\d+):\d+: warning", done.stderr)}
    texts = iter(
        " ".join(line.split())
        for line in done.stdout.splitlines()
        if line.startswith("\t") and not line.startswith("\t.")
    )
    return [
        _UNKNOWN if number in unknown else next(texts) for number in range(1, len(lines) + 1)
    ]
