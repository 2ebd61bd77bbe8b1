"""The archive: its members, and a new one of those that were checked."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import torch

from ..unpacked import unpacks_to_more
from .may_run import MayRunError
from .program import checked_files, checked_program

_ROOT = "archive"
_COPIED = ("archive_format", "archive_version", ".data/version", "byteorder")
"""Members of a few bytes that torch compares with what it knows."""
_PROGRAM = "models/model.json"
_SAMPLES = "data/sample_inputs/model.pt"
_TENSORS = {"data/weights/": ("weights", "weight_"), "data/constants/": ("constants", "tensor_")}
"""Folders of tensors: the word in the name of their list, and what names of raw bytes begin with.
Other names are those of pickled objects (torch/csrc/export/pt2_archive_constants.h)."""


def checked_archive(path: Path) -> io.BytesIO:
    """Return a file like one of ``torch.export.save``, of which torch runs nothing.

    Parameters
    ----------
    path : Path
        A regular file.

    Raises
    ------
    MayRunError
        If something in it may be run.
    Exception
        Of many types, where it is no such file, or is damaged.
    """
    with path.open("rb") as file:
        if unpacks_to_more(file):
            raise MayRunError("unpacks to more than its own size, which no file of torch's does")
        with zipfile.ZipFile(file) as archive:
            members = _members(archive)
            parts = _checked(members, lambda name: archive.read(members[name]))
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w") as archive:
        for name, content in parts.items():
            archive.writestr(f"{_ROOT}/{name}", content)
    result.seek(0)
    return result


def _members(archive: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the members by their names below the folder that holds them all."""
    found = archive.infolist()
    if any(member.filename == "serialized_exported_program.json" for member in found):
        raise MayRunError("was written by torch 2.7 or older, in a form that it reads with pickle")
    roots = [m.filename for m in found if m.filename.endswith("/archive_format")]
    if len(roots) != 1:
        raise ValueError("there is no archive_format in it")
    root = roots[0].removesuffix("archive_format")
    return {m.filename.removeprefix(root): m for m in found if m.filename.startswith(root)}


def _checked(members: dict[str, zipfile.ZipInfo], read: Callable[[str], bytes]) -> dict[str, bytes]:
    parts = {name: read(name) for name in _COPIED if name in members}
    parts[_PROGRAM] = json.dumps(checked_program(json.loads(read(_PROGRAM)))).encode()
    parts[_SAMPLES] = _plain(read(_SAMPLES), "sample inputs")
    for folder, (kind, prefix) in _TENSORS.items():
        whole = f"{folder}model.pt"  # as torch 2.8 has them
        if whole in members:
            parts[whole] = _plain(read(whole), kind)
            continue
        listed = f"{folder}model_{kind}_config.json"
        content = json.loads(read(listed))
        files = checked_files(content, kind, prefix)
        parts[listed] = json.dumps(content).encode()
        for name, is_empty in files.items():
            parts[folder + name] = read(folder + name)
            if not is_empty and not parts[folder + name]:  # torch would make one of zeros
                raise ValueError(f"{name} is empty")
    return parts


def _plain(content: bytes, what: str) -> bytes:
    """Return what torch loads without running code, as torch writes it anew."""
    if not content:
        return content
    if unpacks_to_more(io.BytesIO(content)):
        raise MayRunError(f"has {what} that unpack to more than their own size")
    try:
        held = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception as error:  # torch raises many types here
        raise MayRunError(f"has {what} that are pickled and more than tensors") from error
    anew = io.BytesIO()
    torch.save(held, anew)
    return anew.getvalue()
