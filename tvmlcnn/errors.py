"""The one exception that stands for a mistake of the user."""

from __future__ import annotations

from collections.abc import Iterable


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


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean a, b?)`` for the names nearest to ``name``, or an empty string."""
    import difflib  # where it is needed: see __main__

    near = difflib.get_close_matches(name, list(known), n=3, cutoff=0.5)
    return f" (did you mean {', '.join(near)}?)" if near else ""
