"""Damaged and forged files: compiled models, records, arrays, photos, weights.

Each is read in a process of its own kind, which may die of it. A compiled file whose bytes have
changed has to be refused or compute what it did; one whose manifest was changed and its checksums
made good again too, where its code is what it was.
"""

from __future__ import annotations

import json
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from tvmlcnn.errors import UserError
from tvmlcnn.package.checksums import write_checksums
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.manifest import MANIFEST_SECTION

from .mutations import damaged, damaged_json, mutated_number
from .originals import make_originals
from .verdict import CRASHED, HUNG, Verdict

SECONDS = 60.0
"""In which a file has to be answered; most take milliseconds, the first one imports torch."""
KINDS = (
    *("model", "forged", "model", "npy", "model", "records", "model", "png"),
    *("model", "forged", "model", "pth", "model", "records", "model", "jpeg"),
    *("model", "forged", "model", "npz", "model", "records", "model", "safetensors"),
)
"""In turns, as often as they stand here."""


def attack(
    count: int, seed: int, folder: Path, model: Path | None = None, kinds: Sequence[str] = KINDS
) -> Iterator[Verdict]:
    """Damage files and yield how each was answered.

    Parameters
    ----------
    count : int
        How many.
    seed : int
        Of all that happens to them.
    folder : Path
        For the files.
    model : Path, optional
        A compiled file of one input and one output; else a small one is compiled.
    kinds : sequence of str
        In turns; those of `KINDS`.
    """
    originals = make_originals(folder, model)
    with _Reader() as reader:
        for number in range(count):
            kind = kinds[number % len(kinds)]
            random = Random(f"{seed}:{number}")
            path = _write(kind, originals[kind], folder, random)
            yield Verdict(kind, f"{seed}:{number}", *reader.ask(kind, path, originals[kind]))
            shutil.rmtree(path) if path.is_dir() else path.unlink()


class _Reader:
    """A process of `tools.attack.reader`, and another one where it has died."""

    def __enter__(self) -> _Reader:
        self._process: subprocess.Popen[str] | None = None
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def ask(self, kind: str, path: Path, original: Path) -> tuple[str, str]:
        """Return the outcome of a file, and what was said."""
        if self._process is None:
            command = [sys.executable, "-m", "tools.attack.reader"]
            pipe = subprocess.PIPE
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, text=True, cwd=Path(__file__).parents[2]
            )
        process = self._process
        assert process.stdin
        assert process.stdout
        asked = {"kind": kind, "path": str(path), "original": str(original)}
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        if not select.select([process.stdout], [], [], SECONDS)[0]:
            self._end()
            return HUNG, f"no answer in {SECONDS:g} s"
        line = process.stdout.readline()
        if not line:
            status = process.wait()
            self._end()
            return CRASHED, signal.Signals(-status).name if status < 0 else f"exit {status}"
        answer = json.loads(line)
        return answer["outcome"], answer["said"]

    def _end(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            for pipe in (self._process.stdin, self._process.stdout):
                if pipe:
                    pipe.close()
            self._process = None


def _write(kind: str, original: Path, folder: Path, random: Random) -> Path:
    """Write a damaged file, or a folder with one."""
    path = folder / f"damaged-{random.getrandbits(64):x}{original.suffix}"
    if kind == "records":
        shutil.copytree(original, path)
        file = random.choice(sorted(path.glob("*/*.jsonl")))
        lines = file.read_text().splitlines()
        place = random.randrange(len(lines))
        lines[place] = damaged_json(lines[place], random)
        file.write_bytes("\n".join(lines).encode("utf-8", "surrogatepass"))
    elif kind == "forged":
        shutil.copyfile(original, path)
        _forge(path, random)
    else:
        path.write_bytes(damaged(original.read_bytes(), random))
    return path


def _forge(path: Path, random: Random) -> None:
    """Change the manifest or a number of the section headers, and make the checksums good again."""
    elf = read_elf(path)
    section, content = elf.sections[MANIFEST_SECTION], bytearray(path.read_bytes())
    table = int.from_bytes(content[40:48], "little")  # e_shoff
    if random.random() < 0.3:
        content[table:] = mutated_number(content[table:], random)
    else:
        text = damaged_json(elf.read(MANIFEST_SECTION).decode(), random)
        new = text.encode("utf-8", "surrogatepass")[: section.size].ljust(section.size)
        content[section.offset : section.offset + section.size] = new
    path.write_bytes(content)
    with suppress(UserError, KeyError):  # it may have no place for them any more
        write_checksums(path)
