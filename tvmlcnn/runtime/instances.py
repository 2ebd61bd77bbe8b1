"""The instances of a model that calls from several threads and processes share."""

from __future__ import annotations

import os
import threading
import weakref
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from .library import Instance, Library
from .machine import logical_cpus


class Instances:
    """As many instances as calls run at the same time, opened when they are first needed.

    There are at most as many as have CPUs for their threads; further calls wait.

    Parameters
    ----------
    library : Library
    threads : int
        Of each instance.
    """

    def __init__(self, library: Library, threads: int) -> None:
        self._library = library
        self._threads = threads
        self._begin()
        self._idle.give(self._idle.take())
        _all.add(self)

    def _begin(self) -> None:
        self._idle = _Idle(self._library, self._threads)

    def run(
        self, program: int, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
    ) -> None:
        """Run a program in an instance that nobody else uses meanwhile, as `Instance.run`."""
        idle = self._idle
        instance = idle.take()
        try:
            instance.run(program, inputs, outputs)
        finally:
            idle.give(instance)

    def run_frames(self, program: int, frames: np.ndarray, outputs: Sequence[np.ndarray]) -> None:
        """Run a program on frames of any size so, as `Instance.run_frames`."""
        with self.one() as instance:
            instance.run_frames(program, frames, outputs)

    @contextmanager
    def one(self) -> Iterator[Instance]:
        """Have an instance that nobody else uses meanwhile."""
        idle = self._idle
        instance = idle.take()
        try:
            yield instance
        finally:
            idle.give(instance)


class _Idle:
    """The instances that nobody uses; the one used last is taken first."""

    def __init__(self, library: Library, threads: int) -> None:
        self._open = lambda: Instance(library, threads)
        self._free: deque[Instance] = deque()
        self._to_open = max(1, logical_cpus() // threads)
        self._waiting = 0
        self._changed = threading.Condition()

    def take(self) -> Instance:
        try:
            return self._free.pop()
        except IndexError:
            pass
        with self._changed:
            self._waiting += 1  # from here on who gives one back says so
            try:
                while True:
                    try:
                        return self._free.pop()
                    except IndexError:  # others pop without the lock
                        if self._to_open:
                            break
                    self._changed.wait()
                self._to_open -= 1
            finally:
                self._waiting -= 1
        try:
            return self._open()
        except BaseException:
            with self._changed:
                self._to_open += 1
                self._changed.notify()
            raise

    def give(self, instance: Instance) -> None:
        self._free.append(instance)
        if self._waiting:
            with self._changed:
                self._changed.notify()


_all: weakref.WeakSet[Instances] = weakref.WeakSet()


def _begin_all() -> None:
    """Begin anew in a forked process: it has no threads, and perhaps calls that will never end."""
    for each in list(_all):
        each._begin()


os.register_at_fork(after_in_child=_begin_all)
