"""What other installed packages add: entry points of the groups that tvmlcnn reads.

A package declares them in its ``pyproject.toml``, as ``[project.entry-points."tvmlcnn.models"]``.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from tvmlcnn.errors import UserError, first_line

MODELS = "tvmlcnn.models"
"""Each names a module that registers networks."""
TARGETS = "tvmlcnn.targets"
"""Each names a device, or several; see `tvmlcnn.targets.devices`."""
RULES = "tvmlcnn.rules"
"""Each names rules by the family of the device; see `tvmlcnn.schedules.rules_of_others`."""


def load(group: str) -> Iterator[tuple[str, Any]]:
    """Yield what the entry points of a group stand for, each loaded once a process.

    Yields
    ------
    name, loaded : str, object
        What messages call the entry point, and the module or object that it names.

    Raises
    ------
    UserError
        If one cannot be loaded, whatever it raises; the message names it and its package.
    """
    for point in _points(group):
        loaded, failure = _loaded(point)
        name = f"the entry point {point.name!r} of {_package(point)} ({group})"
        if failure is not None:
            raise unfit(name, f"cannot be loaded: {failure}")
        yield name, loaded


def are_installed(group: str) -> bool:
    """Tell whether the group has entry points; none is loaded."""
    return bool(_points(group))


def unfit(name: str, reason: str) -> UserError:
    """Return the error that says what is wrong with an entry point, by its name from `load`."""
    return UserError(f"{name} {reason}; update or uninstall that package")


@cache
def _points(group: str) -> tuple[EntryPoint, ...]:
    return tuple(entry_points(group=group))


@cache
def _loaded(point: EntryPoint) -> tuple[Any, str | None]:
    """Return what the entry point stands for, or None and why it cannot be loaded.

    The latter is kept too: a second attempt would find what the first one left behind.
    """
    try:
        return point.load(), None
    except Exception as error:  # whatever the package's code raises
        return None, first_line(error)


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "a package without a name"
