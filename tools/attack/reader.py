"""Reads files that are wrong, one after another, for whoever watches whether it dies of one.

``python -m tools.attack.reader``: a line of JSON comes for each file, and one goes back.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import traceback
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from tvmlcnn.errors import UserError

from .verdict import ANSWERED, CRASHED, WRONG

_MEMORY = 16 << 30  # of addresses: who wants more is told, and the machine goes on


class DifferentError(Exception):
    """A file was read, and is not what it was."""


def _model(path: Path, original: Path) -> None:
    """Run a compiled file and have it described and bundled, each of which may refuse it."""
    import click

    import tvmlcnn
    from tvmlcnn.bundle import bundle
    from tvmlcnn.cli.inspect import command

    def run() -> None:
        given, expected = original.with_suffix(".in.npy"), original.with_suffix(".out.npy")
        result = tvmlcnn.load(path, threads=1)(np.load(given))
        only = result[0] if isinstance(result, tuple) else result
        if only.tobytes() != np.load(expected).tobytes():
            raise DifferentError("the result is another")

    def bundled() -> None:
        with TemporaryDirectory(dir=path.parent) as folder:
            bundle(path, Path(folder, "new"))

    def inspected() -> None:
        for option in ("--json", "--verify"):
            with redirect_stdout(io.StringIO()):
                command.main([str(path), option], standalone_mode=False)

    answers: list[BaseException] = []
    for each in (run, inspected, bundled):
        try:
            each()
        except (UserError, click.ClickException) as error:
            answers.append(error)
    if answers:
        raise UserError(str(answers[0])) from answers[0]


def _records(path: Path, original: Path) -> None:
    """List and clear out what a store has, and take it over."""
    from tvmlcnn.records import Library, Store, merge, prune, versions

    (target,) = Store(path).targets()
    library = Library.of(path)
    for found in library.records(target):
        json.dumps(found.record.to_json() | {"gain": found.record.gain}, allow_nan=False)
    Store(path).trials(target)
    with TemporaryDirectory(dir=path.parent) as folder, suppress(UserError):
        merge(Store(Path(folder)), [path], versions())
    prune(Store(path), versions())
    if Store(path).records(target).broken or Store(path).trials(target).broken:
        raise DifferentError("what is broken was not cleared out")


def _array(path: Path, original: Path) -> None:
    from tvmlcnn.runtime.arrays import read_array

    read_array(path)


def _image(path: Path, original: Path) -> None:
    from tvmlcnn.runtime.preprocessing import Preprocessing, read_image

    array = read_image(path, (1, 3, 32, 32), Preprocessing())
    if not np.isfinite(array).all():
        raise DifferentError("the photo has no numbers")


def _weights(path: Path, original: Path) -> None:
    import torch

    from tvmlcnn import frontend

    network = frontend.resolve(torch.nn.Conv2d(3, 4, 3), "1x3x8x8")
    frontend.load_weights(network, path)


def _program(path: Path, original: Path) -> None:
    """Have torch run a program, as the check of a compilation does; nothing else in it may run."""
    from tvmlcnn import frontend

    from .programs import MARK

    try:
        network = frontend.resolve(str(path), "2x3x16x16")
        with network.running():
            inputs = frontend.random_inputs(network.inputs)
            frontend.reference(network.module, inputs, network.keywords)
    finally:
        mark = path.parent / MARK
        if mark.exists():
            mark.rmdir()
            raise DifferentError("code in the file was run")


READERS: dict[str, Callable[[Path, Path], None]] = {
    "model": _model,
    "forged": _model,
    "records": _records,
    "npy": _array,
    "npz": _array,
    "png": _image,
    "jpeg": _image,
    "pth": _weights,
    "safetensors": _weights,
    "pt2": _program,
}
"""By the kind of a file."""


def judged(kind: str, path: Path, original: Path) -> tuple[str, str]:
    """Return how a file is answered, and what is said."""
    try:
        READERS[kind](path, original)
    except UserError as error:
        said = str(error)
        return (CRASHED, f"several lines: {said}") if "\n" in said else (ANSWERED, said)
    except DifferentError as error:
        return WRONG, str(error)
    except BaseException:
        return CRASHED, traceback.format_exc()
    return ANSWERED, "read"


def _main() -> None:
    answers = os.fdopen(os.dup(1), "w")
    with open(os.devnull, "w") as nowhere:  # what others print is no answer
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        outcome, said = judged(asked["kind"], Path(asked["path"]), Path(asked["original"]))
        print(json.dumps({"outcome": outcome, "said": said}), file=answers, flush=True)


if __name__ == "__main__":
    _main()
