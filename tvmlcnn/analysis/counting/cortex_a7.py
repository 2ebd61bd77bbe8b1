"""Cycles in which a Cortex-A7 begins the instructions of a block, of which LLVM has no model.

Its vector unit begins one instruction at a time, in order, and computes floating point numbers one
by one: a product, a sum or a multiply-add of four takes four cycles, fused or not, as
https://wlog.flatlib.jp/2014/02/14/n1680/ measured on an MT8389. Everything else is by GCC's
description of the core, which Arm wrote (gcc/config/arm/cortex-a7.md): other vectors and memory, 64
bits a cycle; operations of two registers, one a cycle; those with a constant, and jumps, beside
another. What waits for a result, four to eight cycles, is left out.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_FLOATS = re.compile(
    r"v(add|sub|mul|ml[as]|n?fm[as]|nml[as]|fn?m[as]|min|max|cvt\S*|abd|padd)\.f32"
)
_TRANSFER = re.compile(r"v?(ld|st|push|pop)")
_LIST = re.compile(r"\{(.*)\}")
_RANGE = re.compile(r"([a-z]+)(\d+)(?:\[\d*\])?-\1(\d+)")
_DOUBLES = {"q": 2, "d": 1, "s": 1}
"""Registers of 64 bits that a vector register takes, or begins to."""
_DIVIDES = {"vdiv.f32": 14, "vsqrt.f32": 14, "sdiv": 5, "udiv": 5}


def issue_cycles(block: Sequence[str]) -> float:
    """Return the cycles that a block in assembly takes at least."""
    return sum(map(_cycles, block))


def _cycles(text: str) -> float:
    operation, _, operands = text.partition(" ")
    if operation in _DIVIDES:
        return _DIVIDES[operation]
    if _TRANSFER.match(operation):
        return _transfer(operands)
    first = operands[:1]
    if operation.startswith("v") and first in _DOUBLES:
        if first != "s" and _FLOATS.match(operation):
            return 2 * _DOUBLES[first]
        return _DOUBLES[first]
    return 0.5 if "#" in operands or operation.startswith("b") else 1.0


def _transfer(operands: str) -> float:
    """Return the cycles of a load or store, by the registers that it moves."""
    several = _LIST.search(operands)
    if several is None:
        return _DOUBLES.get(operands[:1], 1)
    registers = several[1].split(", ")
    count = 0
    for register in registers:
        span = _RANGE.fullmatch(register)
        count += int(span[3]) - int(span[2]) + 1 if span else 1
    kind = registers[0][:1]
    # Of general registers, or of single numbers, two have 64 bits.
    return count * _DOUBLES[kind] if kind in ("q", "d") else (count + 1) // 2
