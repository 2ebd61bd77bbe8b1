"""The one exception that stands for a mistake of the user."""

from __future__ import annotations

from collections.abc import Iterable

_TRACES = ("Traceback", "File ", "---")
_LONGEST_REASON = 240
"""Characters; three lines of a terminal."""


class UserError(ValueError):
    """A mistake the user can mend; the command line prints it in one line and exits with 2.

    Anything else that is raised is an internal failure and keeps its traceback.

    Parameters
    ----------
    message : str
        What was wrong and what to do about it, in words that fit a call and a command alike.
    parameters : tuple of str
        Names of the parameters that the message is about; the command line adds the options that
        stand for them.
    """

    def __init__(self, message: str, parameters: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.parameters = parameters


def reason_of(error: BaseException) -> str:
    """Return the first line of an error's text that says something, else the error's type.

    Tracebacks, as torch quotes those of its compiler, say nothing, and no line is longer than one
    can read at a glance.
    """
    try:
        lines = [line.strip() for line in str(error).splitlines()]
    except Exception:  # a class of a user's whose __str__ fails
        return type(error).__name__
    said = [line for line in lines if line and not line.startswith(_TRACES)]
    if not said:
        return type(error).__name__
    line = said[0].rstrip(".")
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON].rstrip()} …"


def first_line(error: BaseException) -> str:
    """Return an error's type and what `reason_of` says."""
    name, reason = type(error).__name__, reason_of(error)
    return name if reason == name else f"{name}: {reason}"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean a, b?)`` for the names nearest to ``name``, or an empty string."""
    import difflib  # where it is needed: see __main__

    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {', '.join(near)}?)" if near else ""
