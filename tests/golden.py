"""Golden files: texts that a reviewer reads when the code that makes them changes."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pytest

_SHOWN = 30  # lines of a difference
_HINT = "if that is what you want: tools/test --update-golden"


@dataclass(frozen=True)
class Golden:
    """Compares texts with files, or writes them.

    Attributes
    ----------
    update : bool
        Whether the files are written.
    """

    update: bool

    def check(self, path: Path, text: str) -> None:
        """Fail where a file has another text."""
        if self.update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        elif not path.exists():
            pytest.fail(f"there is no {path.name}; {_HINT}", pytrace=False)
        elif (old := path.read_text()) != text:
            lines = list(
                difflib.unified_diff(
                    old.splitlines(), text.splitlines(), path.name, "now", lineterm="", n=2
                )
            )
            more = [f"and {len(lines) - _SHOWN} lines more"] if len(lines) > _SHOWN else []
            pytest.fail("\n".join([*lines[:_SHOWN], *more, _HINT]), pytrace=False)

    def check_names(self, folder: Path, names: Iterable[str]) -> None:
        """Fail where a folder has files that no test is about."""
        strays = {path.name for path in folder.iterdir()} - set(names)
        if self.update:
            for name in strays:
                (folder / name).unlink()
        elif strays:
            pytest.fail(f"no test is about {', '.join(sorted(strays))}; {_HINT}", pytrace=False)
