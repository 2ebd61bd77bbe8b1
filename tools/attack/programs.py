"""Exported programs: damaged archives, other values, and code where none may run.

What runs leaves a folder behind, which is looked for after each.
"""

from __future__ import annotations

import io
import json
import os
import pickle
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from random import Random
from typing import Any

import torch
from torch import nn

from .child import Child
from .files import SECONDS
from .mutations import damaged, damaged_json
from .verdict import Verdict, Verdicts

Parts = dict[str, bytes]
MARK = "mark"
"""The folder, beside the programs, that their code makes."""


def attack(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    """Change programs and yield how each was answered.

    Parameters
    ----------
    numbers : iterable of int
        One for each program.
    seed : int
        Of all that happens to them.
    folder : Path
        For the files.
    """
    original, mark = folder / "program.pt2", folder / MARK
    make_program(original)
    with zipfile.ZipFile(original) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    with Child("tools.attack.reader", SECONDS) as reader:
        for number in numbers:
            random = Random(f"{seed}:{number}")
            path = folder / f"changed-{number}.pt2"
            if random.random() < 0.2:
                path.write_bytes(damaged(original.read_bytes(), random))
            else:
                _write(path, _changed(parts, mark, random), random)
            asked = {"kind": "pt2", "path": str(path), "original": str(original)}
            outcome, said = reader.ask(asked)
            path.unlink()
            yield Verdict("pt2", f"{seed}:{number}", outcome, said)


class _Net(nn.Module):
    """Parameters, a buffer and a constant, one name for two inputs' sizes, and two outputs."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        self.norm = nn.BatchNorm2d(4)
        self.register_buffer("scale", torch.rand(4, 1, 1))
        self.constant = torch.rand(1)

    def forward(self, x: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.norm(self.conv(x)) * self.scale + self.constant
        return {"y": y, "mean": y.flatten(2).mean(2)}


def make_program(path: Path) -> None:
    """Write a program whose batch is open, so that there are sizes, ranges and guards."""
    torch.manual_seed(0)
    batch = {0: torch.export.Dim("batch", min=1, max=9)}
    program = torch.export.export(
        _Net().eval(), (torch.rand(2, 3, 16, 16),), dynamic_shapes={"x": batch}
    )
    torch.export.save(program, path)


class _Runs:
    """Makes a folder where it is unpickled."""

    def __init__(self, mark: Path) -> None:
        self.mark = mark

    def __reduce__(self) -> tuple[Callable[..., object], tuple[str, ...]]:
        return os.mkdir, (str(self.mark),)


def _changed(parts: Parts, mark: Path, random: Random) -> Parts:
    changed = dict(parts)
    for _ in range(random.choice((1, 1, 2))):
        name = random.choice(list(changed))
        change = random.choice(_CHANGES)
        new = change(changed[name], mark, random)
        if change is _pickled and random.random() < 0.3:  # as torch 2.8 had them
            name = f"{name.rpartition('/')[0]}/model.pt"
        changed[name] = new
    return changed


def _json(content: bytes, mark: Path, random: Random) -> bytes:
    try:
        return damaged_json(content.decode(), random).encode("utf-8", "surrogatepass")
    except (ValueError, IndexError):  # it is none, or there is nothing in it
        return damaged(content, random)


def _bytes(content: bytes, mark: Path, random: Random) -> bytes:
    return damaged(content, random)


def _pickled(content: bytes, mark: Path, random: Random) -> bytes:
    runs = _Runs(mark)
    if random.random() < 0.5:
        return pickle.dumps(runs)
    file = io.BytesIO()
    torch.save(random.choice((runs, ((runs,), {}), {"conv.weight": runs})), file)
    return file.getvalue()


def _code(content: bytes, mark: Path, random: Random) -> bytes:
    """Put Python in the place of a text, or of a key, wherever it stands."""
    try:
        value = json.loads(content)
    except ValueError:
        return damaged(content, random)
    texts = sorted(set(_texts(value)))
    if not texts:
        return content
    call = f"__import__('os').mkdir({str(mark)!r})"
    code = random.choice((call, f"x={call}", f"x):\n {call}\n#", f"os.mkdir({str(mark)!r})"))
    return json.dumps(_renamed(value, random.choice(texts), code)).encode()


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in [*value, *value.values()] if isinstance(value, dict) else value:
            yield from _texts(item)


def _renamed(value: Any, name: str, other: str) -> Any:
    if isinstance(value, dict):
        return {other if k == name else k: _renamed(v, name, other) for k, v in value.items()}
    if isinstance(value, list):
        return [_renamed(item, name, other) for item in value]
    return other if value == name else value


_CHANGES: tuple[Callable[[bytes, Path, Random], bytes], ...] = (
    *(_json, _json, _json, _code, _code, _bytes, _pickled),
)


def _write(path: Path, parts: Parts, random: Random) -> None:
    kind = random.choice((zipfile.ZIP_STORED, zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED))
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
