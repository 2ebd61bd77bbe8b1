"""Following a page of the documentation: its files, its edits, its commands and what they print."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

_FENCE = re.compile(r'^```(\w*)(?: title="([^"]+)")?\n(.*?)^```$', re.MULTILINE | re.DOTALL)
_PIP = ["pip", "install", "-q", "--no-deps", "--no-build-isolation", "--no-index", "--target"]


@dataclass(frozen=True)
class Block:
    """What stands between two fences: of a file, or commands where there is no title."""

    language: str
    title: str
    text: str


def blocks(text: str) -> list[Block]:
    """Return the blocks of a page, or of a part of it."""
    return [Block(*found) for found in _FENCE.findall(text)]


@dataclass(frozen=True)
class Reader:
    """Who does what a page says.

    Attributes
    ----------
    folder : Path
        Where files lie and commands run.
    packages : Path
        Where pip installs.
    path : sequence of Path
        Where else Python finds packages.
    """

    folder: Path
    packages: Path
    path: Sequence[Path]

    def follow(self, text: str) -> None:
        """Do it, and assert what the page says is seen."""
        for block in blocks(text):
            if not block.title:
                for command, printed in _commands(block.text):
                    self._run(command, printed)
            elif block.language == "diff":
                self._edit(self.folder / block.title, block.text)
            else:
                file = self.folder / block.title
                assert not file.exists(), file
                file.write_text(block.text, "utf-8")

    def _edit(self, file: Path, diff: str) -> None:
        text = file.read_text("utf-8")
        for hunk in diff.split("@@\n"):
            lines = hunk.splitlines(keepends=True)
            assert all(line[0] in " +-" for line in lines), hunk
            old = "".join(line[1:] for line in lines if line[0] != "+")
            assert text.count(old) == 1, f"{file} has this {text.count(old)} times:\n{old}"
            text = text.replace(old, "".join(line[1:] for line in lines if line[0] != "-"))
        file.write_text(text, "utf-8")

    def _run(self, command: str, printed: list[str]) -> None:
        words = _words(command, self.packages)
        path = [self.packages, *self.path, *filter(None, [os.environ.get("PYTHONPATH")])]
        done = subprocess.run(
            words,
            cwd=self.folder,
            env=os.environ | {"PYTHONPATH": os.pathsep.join(map(str, path))},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        pattern = "".join(map(_pattern, printed))
        seen = "".join(f"{' '.join(line.split())}\n" for line in done.stdout.splitlines())
        assert re.fullmatch(pattern, seen), f"{command}\n{done.stdout}\nis not\n{printed}"


def _commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Yield each command of a block with the lines that it prints."""
    assert text.startswith("$ "), text
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *printed = part.splitlines()
        yield command, printed


def _words(command: str, packages: Path) -> list[str]:
    """Return a command's words, for this Python and its packages."""
    words = [word.strip('"') for word in command.split()]
    match words:
        case ["tvmlcnn", *rest]:
            return [sys.executable, "-m", "tvmlcnn", *rest]
        case ["python", *rest]:
            return [sys.executable, *rest]
        case ["pip", "install", "."]:
            return [sys.executable, "-m", *_PIP, str(packages), "."]
    return words


def _pattern(line: str) -> str:
    """Return what a line of a page stands for; "…" stands for anything, alone for any lines."""
    if line == "…":
        return r"(?:.*\n)*"
    return re.escape(" ".join(line.split())).replace("…", ".*") + "\n"
