"""Damaged and forged files: compiled models, records, arrays, photos, weights.

Each is read in a process of its own kind, which may die of it. A compiled file whose bytes have
changed has to be refused or compute what it did; one whose manifest was changed and its checksums
made good again too, where its code is what it was.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from random import Random

from tvmlcnn.errors import UserError
from tvmlcnn.package.checksums import write_checksums
from tvmlcnn.runtime.elf import read_elf
from tvmlcnn.runtime.manifest import MANIFEST_SECTION

from .child import Child
from .mutations import damaged, damaged_json, mutated_number
from .originals import make_originals
from .verdict import Verdict, Verdicts

SECONDS = 60.0
"""In which a file has to be answered; most take milliseconds, the first one imports torch."""
KINDS = (
    *("model", "forged", "model", "npy", "model", "records", "model", "png"),
    *("model", "forged", "model", "pth", "model", "records", "model", "jpeg"),
    *("model", "forged", "model", "npz", "model", "records", "model", "safetensors"),
)
"""In turns, as often as they stand here."""


def attack(
    numbers: Iterable[int],
    seed: int,
    folder: Path,
    model: Path | None = None,
    kinds: Sequence[str] = KINDS,
) -> Verdicts:
    """Damage files and yield how each was answered.

    Parameters
    ----------
    numbers : iterable of int
        One for each file.
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
    with Child("tools.attack.reader", SECONDS) as reader:
        for number in numbers:
            kind = kinds[number % len(kinds)]
            random = Random(f"{seed}:{number}")
            path = _write(kind, originals[kind], folder, random)
            asked = {"kind": kind, "path": str(path), "original": str(originals[kind])}
            outcome, said = reader.ask(asked)
            shutil.rmtree(path) if path.is_dir() else path.unlink()
            yield Verdict(kind, f"{seed}:{number}", outcome, said)


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
