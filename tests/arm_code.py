"""The innermost loops of a compiled file's kernels, read from its code."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path

from tvmlcnn.analysis.counting.instructions import assembly, tally
from tvmlcnn.runtime.elf import read_elf

_SYMBOL = {32: struct.Struct("<IIIBBH"), 64: struct.Struct("<IBBHQQ")}
_FUNCTION = 2
_BACK = re.compile(r"(?:b\S*|cbn?z|tbn?z) .*#-(\d+)$")
_PRODUCT = re.compile(r"v?f?mul\S* [vq]\d")  # where sums are added apart, as on a Cortex-A7


def stack_in_hot_loops(path: Path) -> dict[str, float]:
    """Return the kernels that access the stack in innermost loops of products.

    Beside each is what share of a loop's instructions do so, at most.
    """
    found = {}
    for name, block in functions(path):
        worst = max((tally(loop)["stack"] / len(loop) for loop in hot_loops(block)), default=0)
        if worst:
            found[name] = worst
    return found


def hot_loops(block: list[str]) -> Iterator[list[str]]:
    """Yield the loops that no other loop is in and that multiply vectors."""
    spans = []
    for end, text in enumerate(block):
        if jump := _BACK.match(text):
            spans.append((end - int(jump[1]) // 4, end))
    for start, end in spans:
        inside = any(
            start <= other and last <= end and (other, last) != (start, end)
            for other, last in spans
        )
        loop = block[max(start, 0) : end + 1]
        counts = tally(loop)
        if not inside and (counts["fmla"] or counts["dot"] or any(map(_PRODUCT.match, loop))):
            yield loop


def functions(path: Path) -> Iterator[tuple[str, list[str]]]:
    """Yield the name and the assembly of the code after each symbol, up to the next one.

    Functions that LLVM splits off a kernel have no symbol, and lie behind it.
    """
    elf = read_elf(path)
    text, content, names = elf.sections[".text"], elf.read(".text"), elf.read(".strtab")
    bits = 32 if elf.machine == "armv7l" else 64
    titles = {}
    for name, address, kind in _symbols(elf.read(".symtab"), bits):
        start = address - text.address
        if kind & 0xF == _FUNCTION and 0 <= start < text.size:
            titles[start] = names[name : names.index(b"\0", name)].decode()
    starts = sorted(titles)
    codes = {}
    for start, end in zip(starts, [*starts[1:], text.size], strict=True):
        body = content[start : end - (end - start) % 4]
        codes[titles[start]] = tuple(body[at : at + 4] for at in range(0, len(body), 4))
    texts = assembly(codes.values(), elf.machine)
    for title, code in codes.items():
        yield title, texts[code]


def _symbols(table: bytes, bits: int) -> Iterator[tuple[int, int, int]]:
    """Yield where each symbol's name is, its address and its kind."""
    for entry in _SYMBOL[bits].iter_unpack(table):
        yield (entry[0], entry[1], entry[3]) if bits == 32 else (entry[0], entry[4], entry[1])
