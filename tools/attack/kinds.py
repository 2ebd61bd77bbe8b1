"""All kinds of attack."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from . import arguments, files, modules, programs, servers
from .verdict import Verdicts

Attack = Callable[[Iterable[int], int, Path], Verdicts]
"""Takes numbers, one for each input, a seed and a folder for files; yields how each was answered.

The same number of the same seed is the same input, whatever came before it.
"""

KINDS: dict[str, Attack] = {
    "compiled": partial(files.attack, kinds=("model",)),
    "manifests": partial(files.attack, kinds=("forged",)),
    "records": partial(files.attack, kinds=("records",)),
    "programs": programs.attack,
    "checkpoints": partial(files.attack, kinds=("pth", "safetensors")),
    "arrays": partial(files.attack, kinds=("npy", "npz", "png", "jpeg")),
    "arguments": arguments.attack,
    "modules": modules.attack,
    "board": servers.attack_board,
    "tracker": servers.attack_tracker,
}
"""By the names that `--kinds` takes, in the order of their turns."""
