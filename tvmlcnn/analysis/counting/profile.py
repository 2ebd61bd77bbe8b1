"""What ``plugin.c`` wrote: the blocks of code that ran, and how often, section by section."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

Code = tuple[bytes, ...]
"""Instructions, as they lie in memory."""


@dataclass(frozen=True)
class Section:
    """What ran between two marks.

    Attributes
    ----------
    threads : dict of int to Counter
        Of each thread that ran, how often it ran which code.
    """

    threads: dict[int, Counter[Code]]

    @property
    def runs(self) -> Counter[Code]:
        """How often all threads together ran which code."""
        return sum(self.threads.values(), Counter())


def read_profile(path: Path) -> list[Section]:
    """Return the sections of a file, in the order in which they ran."""
    codes: dict[str, Code] = {}
    sections: list[Section] = []
    threads: dict[int, Counter[Code]] = {}
    with open(path) as file:
        for line in file:
            kind, *rest = line.split()
            if kind == "b":
                number, _, *code = rest
                codes[number] = tuple(map(bytes.fromhex, code))
            elif kind == "e":
                number, thread, count = rest
                runs = threads.setdefault(int(thread, 16), Counter())
                runs[codes[number]] += int(count, 16)
            else:
                sections.append(Section(threads))
                threads = {}
    return sections
