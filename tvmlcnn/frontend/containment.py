"""Keeping what code does to the process, beside its result, from us."""

from __future__ import annotations

import atexit
import ctypes
import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from typing import Any, NoReturn


@contextmanager
def contained() -> Iterator[None]:
    """Have code print to stderr, also at exit, raise where it exits, and not keep us from exiting.

    ``os._exit`` raises SystemExit, as ``sys.exit`` does, but in processes that the code forks.
    Threads are daemons: Python would wait for others, maybe for ever.
    """
    leave, start, register, ours = os._exit, threading.Thread.start, atexit.register, os.getpid()

    def exit_or_raise(status: int) -> NoReturn:
        if os.getpid() == ours:
            raise SystemExit(status)
        leave(status)

    def start_daemon(thread: threading.Thread) -> None:
        if thread.ident is None:
            thread.daemon = True
        start(thread)

    def register_quiet(function: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
        register(_quietly, function, *arguments, **named)
        return function

    # The modules' own functions are all that any code finds, under whatever name it imports them.
    os._exit, atexit.register = exit_or_raise, register_quiet  # type: ignore[assignment]
    threading.Thread.start = start_daemon  # type: ignore[method-assign, assignment]
    try:
        with stdout_to_stderr():
            yield
    finally:
        os._exit, atexit.register = leave, register
        threading.Thread.start = start  # type: ignore[method-assign]


def _quietly(function: Callable[..., Any], *arguments: Any, **named: Any) -> None:
    with stdout_to_stderr(), suppress(SystemExit):  # the command's own exit code stands
        function(*arguments, **named)


class _Unclosed:
    """A stream that stays open, whoever closes it: it is ours too."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def close(self) -> None:
        """Do nothing."""


@contextmanager
def stdout_to_stderr() -> Iterator[None]:
    """Have Python, and libraries below it, print to stderr: stdout is for our results."""
    ours = sys.stdout
    try:
        ours.flush()
        saved = os.dup(1)
    except (AttributeError, OSError, ValueError):  # there is none
        saved = None
    try:
        if saved is not None:
            os.dup2(2, 1)
        with redirect_stdout(_Unclosed(sys.stderr)):  # type: ignore[type-var]
            yield
    finally:
        if saved is not None:
            with suppress(OSError, ValueError):
                ours.flush()  # what code has told it by another name, as sys.__stdout__
            ctypes.CDLL(None).fflush(None)  # what C has kept
            os.dup2(saved, 1)
            os.close(saved)
