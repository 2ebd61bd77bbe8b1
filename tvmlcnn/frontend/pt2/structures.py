"""The structure of what a program takes and returns, as torch writes it.

For other types than these torch imports modules that the text names, as for the function that fills
a ``defaultdict`` and for keys that are of an enumeration.
"""

from __future__ import annotations

import json
from typing import Any

_TYPES = {
    "builtins.tuple",
    "builtins.list",
    "builtins.dict",
    "collections.OrderedDict",
    "collections.deque",
}
_VALUES = str | int | float | bool | None
_DEEPEST = 64


def is_structure(text: str) -> bool:
    """Tell whether a text is a structure of plain collections."""
    return _is_of_plain(text, names=False)


def is_structure_of_inputs(text: str) -> bool:
    """Tell whether a text is a structure of plain collections, with names for keys.

    torch writes them into the Python of a function's arguments.
    """
    return _is_of_plain(text, names=True)


def _is_of_plain(text: str, names: bool) -> bool:
    try:
        _, structure = json.loads(text)
        return _is_plain(structure, names, _DEEPEST)
    except (ValueError, TypeError, KeyError, RecursionError):
        return False


def _is_plain(structure: dict[str, Any], names: bool, left: int) -> bool:
    kind, context, below = (structure[key] for key in ("type", "context", "children_spec"))
    if not left or not isinstance(below, list):
        return False
    if kind is None:
        return context is None and not below
    if kind not in _TYPES or not isinstance(context, str):
        return False
    # torch reads it once more, and makes objects of the dicts in it.
    read = json.loads(context)
    keys = read if isinstance(read, list) else [read]
    if not all(isinstance(key, _VALUES) for key in keys):
        return False
    if names and not all(isinstance(key, str) and key.isidentifier() for key in keys if key):
        return False
    return all(_is_plain(child, names, left - 1) for child in below)
