"""Command lines: options and paths of every kind, on disks and outputs that take nothing more.

Each is run in a folder with files that are well and with pipes, sockets, links and names that are
not. Nothing but what was asked for may have changed there afterwards.
"""

from __future__ import annotations

import os
import shutil
import socket
import stat
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random

import click

from tvmlcnn.cli import _tvmlcnn

from .child import Child
from .command_line import SECONDS, question
from .modules import NET
from .originals import make_originals
from .programs import make_program
from .verdict import ANSWERED, WRONG, Verdict, Verdicts

_GOOD = {
    "model": ("net.py:Net", "program.pt2"),
    "models": ("net.py:Net", "program.pt2"),
    "file": ("model.so",),
    "files": ("records",),
    "image": ("photo.png", "photo.jpeg"),
    "inputs": ("x.npy",),
    "target": ("x86", "native", "rpi4"),
    "shapes": ("1x3x16x16",),
    "output": ("new", "new.so", "new.npy", "-"),
    "dtype": ("int8", "float16", "bfloat16", "tf32", "float32"),
    "calibration": ("photos", "x.npy"),
    "keep_float": ("conv", "0"),
    "dump_ir": ("new",),
    "picture": ("new.png",),
    "records": ("records", "new"),
    "weights": ("weights.pth",),
    "threads": ("1", "2"),
    "seconds": ("0", "0.1"),
    "trials": ("1",),
    "minutes": ("0",),
}
"""Values that are right, by the names of parameters, so that what comes after them is reached."""
_NAMES = ("folder", "pipe", "to-pipe", "socket", "gone", "loop", "full", "empty", "kept")
_PATHS = (*_NAMES, "kept/x", "no/such", "x" * 300, "x/" * 3000, "", ".", "..", "\ud800")
_WORDS = (" ", "-", "--", "\x1b[31m", "%s", "\u00e9", "?", ":", "a?b=c", "net.py:", ":Net", "net:x")
_NUMBERS = ("0", "-1", "1e999", "nan", "9" * 400, "0x10", "\u0663", "1.5", "2147483648")
_FORMS = ("1x3x0x8", "1x3x16x16:x", "1x3x99999x99999", "1..0x3x8x8", "x", "1x", "1x-3x8x8")
_PLACES = ("127.0.0.1:1", ":0", "127.0.0.1:99999", "[::1]:1", "127.0.0.1")
_TEXTS = ("{}", "[" * 5000, '{"kind": "llvm"}', '{"kind": 1}', '{"kind": "llvm", "mcpu": "x"}')
_ODD = (_PATHS, _PATHS, _WORDS, _NUMBERS, _FORMS, _PLACES, _TEXTS)

_WAITING = {("device", "serve"), ("device", "tracker")}
"""They end when they are told to."""
_FIRST = {"bench": ("--seconds", "0"), "profile": ("--seconds", "0"), "tune": ("--minutes", "0")}
"""What keeps a command short where nothing else is drawn."""


def attack(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    """Run commands and yield how each ended.

    Parameters
    ----------
    numbers : iterable of int
        One for each command.
    seed : int
        Of all that is drawn for them.
    folder : Path
        For the files.
    """
    template = _template(folder)
    verbs = dict(_verbs(_tvmlcnn, ()))
    with Child("tools.attack.command_line", 2 * SECONDS) as child:
        for number in numbers:
            random = Random(f"{seed}:{number}")
            work = folder / "work"
            shutil.copytree(template, work)
            _special(work)
            before = _state(work)
            words = random.choice(list(verbs))
            arguments = [*words, *_FIRST.get(words[0], ()), *_drawn(verbs[words], random)]
            asked = question(
                arguments,
                work,
                random.choice(("file",) * 8 + ("full", "closed")),
                random.choice((None,) * 8 + (0, 4096)),
                random.choice(("",) * 8 + ("no/such", str(work / "kept"))),
            )
            outcome, said = child.ask(asked)
            if outcome == ANSWERED:
                outcome, said = _left(before, _state(work), said)
            shutil.rmtree(work)
            yield Verdict("arguments", f"{seed}:{number}", outcome, f"{_short(arguments)}: {said}")


def _short(arguments: list[str]) -> str:
    return " ".join(repr(each if len(each) < 60 else f"{each[:50]} …") for each in arguments)


def _verbs(
    group: click.Group, words: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    """Yield each command with the words that name it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command, named = group.get_command(context, name), (*words, name)
        if isinstance(command, click.Group):
            yield from _verbs(command, named)
        elif command is not None and named not in _WAITING:
            yield named, command


def _drawn(command: click.Command, random: Random) -> Iterator[str]:
    """Yield arguments and options, most of them as they should be."""
    for parameter in command.params:
        name = parameter.name or ""
        if isinstance(parameter, click.Argument):
            if random.random() < 0.95:
                yield _value(name, random, 0.7)
        elif isinstance(parameter, click.Option) and random.random() < 0.3:
            yield random.choice(parameter.opts)
            if not parameter.is_flag:
                yield _value(name, random, 0.6)


def _value(name: str, random: Random, right: float) -> str:
    if name in _GOOD and random.random() < right:
        return random.choice(_GOOD[name])
    return random.choice(random.choice(_ODD))


def _template(folder: Path) -> Path:
    originals = make_originals(folder, None)
    template = folder / "template"
    template.mkdir()
    for name in ("model", "npy", "png", "jpeg", "pth"):
        shutil.copy(originals[name], template)
    shutil.copytree(originals["records"], template / "records")
    make_program(template / "program.pt2")
    (template / "photos").mkdir()
    shutil.copy(originals["png"], template / "photos")
    (template / "net.py").write_text(NET)
    (template / "kept").write_bytes(b"as it was")
    (template / "empty").touch()
    (template / "folder").mkdir()
    (template / "folder" / "kept").write_bytes(b"as it was")
    return template


def _special(work: Path) -> None:
    """Make what a copy of a folder cannot have."""
    os.mkfifo(work / "pipe")
    (work / "to-pipe").symlink_to("pipe")
    (work / "gone").symlink_to("nowhere")
    (work / "loop").symlink_to("loop")
    with suppress(OSError), socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(work / "socket"))
    with suppress(OSError):  # who may not make a device has none to lose
        os.mknod(work / "full", stat.S_IFCHR | 0o666, os.makedev(1, 7))


def _state(work: Path) -> dict[str, tuple[int, bytes]]:
    """Return the type of each entry, and the content of files, but for records."""
    found = {}
    for path in sorted(work.rglob("*")):
        name = str(path.relative_to(work))
        if name.split("/")[0] not in ("records", "data"):
            mode = stat.S_IFMT(path.lstat().st_mode)
            found[name] = (mode, path.read_bytes() if stat.S_ISREG(mode) else b"")
    return found


def _left(
    before: dict[str, tuple[int, bytes]], after: dict[str, tuple[int, bytes]], said: str
) -> tuple[str, str]:
    """Return an outcome by what a command has left behind."""
    other = [name for name in before if (0, *before[name])[:2] != (0, *after.get(name, (0,)))[:2]]
    if other:
        return WRONG, f"replaced {', '.join(other)}; {said}"
    temporary = [name for name in after if ".tvmlcnn-" in name]
    if temporary:
        return WRONG, f"left {', '.join(temporary)}; {said}"
    changed = [name for name in after if after[name] != before.get(name)]
    done = "cannot write the output" in said  # which is said of stdout, when all else is there
    if changed and said.startswith("error: ") and not done:
        return WRONG, f"wrote {', '.join(changed)}; {said}"
    return ANSWERED, said
