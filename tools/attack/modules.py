"""Modules of users that misbehave, one or several ways at once, each compiled by the command.

What changes nothing of the result has to leave it as it is, to the bit.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random

import numpy as np

import tvmlcnn

from . import command_line, files
from .child import Child
from .misbehaviours import HARMLESS, OTHERS, Misbehaviour
from .verdict import ANSWERED, CRASHED, WRONG, Verdict, Verdicts

_IMPORTED = (
    *("argparse", "asyncio", "atexit", "collections", "ctypes", "dataclasses", "faulthandler"),
    *("functools", "gc", "io", "locale", "logging", "os", "random", "resource", "signal"),
    *("subprocess", "sys", "tempfile", "threading", "time", "warnings", "numpy", "torch"),
)
_NET = """import {imported}
from torch import nn
from torch.nn import functional as F

class Silent(BaseException):
    def __str__(self):
        raise ValueError

Named = collections.namedtuple("Named", "a b")

@dataclasses.dataclass
class Data:
    a: torch.Tensor

{import}
class Net(nn.Module):
    {body}
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)
        values = torch.arange(108).reshape(4, 3, 3, 3) % 7 / 7 - 0.4
        self.conv.weight = nn.Parameter(values)
        self.conv.bias = nn.Parameter(torch.arange(4) / 4)
        {init}
    def forward(self, x):
        {before}
        y = self.conv(x)
        {after}
        return y
{end}
"""


def source(misbehaviours: Sequence[Misbehaviour]) -> str:
    """Return a module that does what is said, and else convolves."""
    text = _NET.replace("{imported}", ", ".join(_IMPORTED))
    for place in ("import", "body", "init", "before", "after", "end"):
        indent = {"import": 0, "end": 0, "body": 4}.get(place, 8)
        codes = [each.code for each in misbehaviours if each.place == place]
        text = text.replace(f"{{{place}}}", f"\n{' ' * indent}".join(codes) or "pass")
    return text


NET = source(())
"""A module that behaves."""


def attack(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    """Compile modules and yield how each was answered.

    Parameters
    ----------
    numbers : iterable of int
        One for each module.
    seed : int
        Of all that it does.
    folder : Path
        For the files.
    """
    original = _original(folder)
    seconds = command_line.SECONDS
    with (
        Child("tools.attack.command_line", 2 * seconds) as compiler,
        Child("tools.attack.reader", files.SECONDS) as reader,
    ):
        for number in numbers:
            random = Random(f"{seed}:{number}")
            harmless = random.random() < 0.4
            drawn = random.choices(HARMLESS, k=random.choice((1, 1, 2, 3)))
            if not harmless:
                drawn = [random.choice(OTHERS), *(drawn if random.random() < 0.3 else ())]
            work, text = folder / "module", source(drawn)
            work.mkdir()
            (work / "net.py").write_text(text)
            words = ["compile", "net.py:Net", "--target", "native", "--input-shape", "1x3x16x16"]
            asked = command_line.question([*words, "-o", "net.so", "--json"], work)
            outcome, said = compiler.ask(asked)
            path = work / "net.so"
            if outcome == ANSWERED and said == "done":
                if not path.exists():
                    outcome, said = WRONG, "no file, and no error"
                elif harmless:
                    asked = {"kind": "model", "path": str(path), "original": str(original)}
                    outcome, said = reader.ask(asked)
                    if said != "read" and outcome == ANSWERED:
                        outcome = CRASHED  # what was compiled has to be taken
            elif outcome == ANSWERED and path.exists():
                outcome, said = WRONG, f"a file, and an error: {said}"
            shutil.rmtree(work)
            did = "; ".join(f"{each.place}: {each.code}" for each in drawn)
            yield Verdict("modules", f"{seed}:{number}", outcome, f"{did}: {said}")


def _original(folder: Path) -> Path:
    """Compile the module that behaves, with an input of it and its output."""
    around = folder / "behaves"
    around.mkdir()
    (around / "net.py").write_text(NET)
    path = around / "net.so"
    tvmlcnn.compile(f"{around}/net.py:Net", "native", (1, 3, 16, 16), output=path)
    given = np.random.default_rng(0).standard_normal((1, 3, 16, 16), np.float32)
    np.save(path.with_suffix(".in.npy"), given)
    np.save(path.with_suffix(".out.npy"), tvmlcnn.load(path, threads=1)(given))
    return path
