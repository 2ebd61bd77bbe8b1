"""Ctrl-C and ``kill``: an exception that unwinds the command, wherever it is."""

from __future__ import annotations

import signal
import sys
from types import FrameType

_AGAIN = 0.01  # seconds
_came = False


class Interrupt(KeyboardInterrupt):
    """An interrupt that lets the exit code stand.

    Where KeyboardInterrupt itself passes through `exec` of a text, as dataclasses have it in every
    import, CPython ends by the signal in the end, even if it was caught.
    """


def install() -> None:
    """Raise `Interrupt` on the signals; unwinding then removes what is unfinished.

    In a callback of a weak reference, a finalizer or a C library Python can only note that there
    was an exception; it is raised again soon after.
    """
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
        signal.signal(number, _interrupt)
    note = sys.unraisablehook

    def again(unraisable: sys.UnraisableHookArgs) -> None:
        if isinstance(unraisable.exc_value, Interrupt):
            signal.setitimer(signal.ITIMER_REAL, _AGAIN)
        else:
            note(unraisable)

    sys.unraisablehook = again


def came() -> bool:
    """Tell whether there was an interrupt.

    TVM turns one that arrives in a callback of its own into an error of another type.
    """
    return _came


def check() -> None:
    """Raise the interrupt that somebody has taken for another error, if there was one."""
    if _came:
        raise Interrupt


def _interrupt(signum: int, frame: FrameType | None) -> None:
    global _came
    _came = True
    raise Interrupt
