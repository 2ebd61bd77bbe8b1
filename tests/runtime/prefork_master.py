"""A server that loads a model and forks: `python prefork_master.py FILE CASE [ARGUMENT]`.

It is a process of its own, as a server is: what else the tests' process has loaded has threads,
locks and garbage that were not made for being forked.
"""

from __future__ import annotations

import faulthandler
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context

import numpy as np
from thread_count import SEVERAL, tasks, until_ended

import tvmlcnn
from tvmlcnn.runtime.arrays import random_arrays

_SECONDS = 60  # after which a process that hangs says where, and ends


class Server:
    """A model, and what another one of the same file computed."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._model = tvmlcnn.load(path, SEVERAL)
        self._inputs = random_arrays(self._model.inputs)
        self._expected = tvmlcnn.load(path, SEVERAL)(*self._inputs)

    def right(self) -> bool:
        """Call the model, and tell whether it computes that too."""
        return np.array_equal(self._model(*self._inputs), self._expected)

    def all_right(self, threads: int, times: int = 1) -> bool:
        """Call from several threads at once."""
        results: list[bool] = []

        def call() -> None:
            results.append(all(self.right() for _ in range(times)))

        callers = [threading.Thread(target=call) for _ in range(threads)]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join()
        return results == [True] * threads

    @contextmanager
    def calling(self, threads: int) -> Iterator[list[bool]]:
        """Call from some threads all the while."""
        done, results = threading.Event(), []

        def call() -> None:
            while not done.is_set():
                results.append(self.right())

        callers = [threading.Thread(target=call) for _ in range(threads)]
        for caller in callers:
            caller.start()
        try:
            yield results
        finally:
            done.set()
            for caller in callers:
                caller.join()


def forked(work: Callable[[], bool]) -> int:
    """Return the process that does some work and exits with 0 where it returns True."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        _end_in_time()
        code = 0 if work() else 2
    finally:
        os._exit(code)


def _end_in_time() -> None:
    """Say where this process is, and end it, if it takes too long. A fork inherits no alarm."""
    faulthandler.register(signal.SIGALRM, chain=True)
    signal.alarm(_SECONDS)


def end_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def short_threads(server: Server) -> None:
    """Ten thousand threads that call once leave nothing."""
    assert server.all_right(4)
    before = tasks()
    assert all(server.all_right(10) for _ in range(1000))
    until_ended(before)


def many_calls(server: Server, threads: str) -> None:
    """Fork workers before the model was used, or while threads use it."""

    def worker() -> bool:
        return all(server.right() for _ in range(20)) and server.all_right(3, 20)

    with server.calling(int(threads)) as results:
        workers = [forked(worker) for _ in range(4)]
        assert [end_of(worker) for worker in workers] == [0] * 4
    assert all(results)
    assert server.right()


def again_and_again(server: Server, threads: str) -> None:
    """Fork as gunicorn does for workers that ended, while the master may be at work itself."""
    assert server.right()
    with server.calling(int(threads)) as results:
        for _ in range(5):
            workers = [forked(lambda: server.all_right(3)) for _ in range(3)]
            assert [end_of(worker) for worker in workers] == [0] * 3
    assert all(results)
    assert server.right()


def workers_of_workers(server: Server) -> None:
    assert server.right()

    def worker() -> bool:
        other = forked(lambda: server.all_right(2))
        return server.right() and end_of(other) == 0 and server.right()

    assert end_of(forked(worker)) == 0


def killed_workers(server: Server) -> None:
    assert server.right()

    def for_ever() -> bool:
        while True:
            server.right()

    workers = [forked(for_ever) for _ in range(2)]
    other = forked(lambda: all(server.right() for _ in range(50)))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert [end_of(worker) for worker in workers] == [-signal.SIGKILL] * 2
    assert end_of(other) == 0
    assert server.right()


def models_of_workers(server: Server) -> None:
    def worker() -> bool:
        model = tvmlcnn.load(server.path, SEVERAL)
        model(*random_arrays(model.inputs))
        del model
        return server.right()

    with server.calling(1):
        assert [end_of(forked(worker)) for _ in range(3)] == [0] * 3


def pool_of_processes(server: Server) -> None:
    assert server.right()
    with ProcessPoolExecutor(2, get_context("fork"), _end_in_time) as pool:
        assert list(pool.map(_call, range(20))) == [True] * 20
    assert server.right()


def _call(_: int) -> bool:
    return _server.right()  # a forked process has it, and nothing is pickled


def exits_during_loading(server: Server) -> None:
    """What a worker cleans up when it exits is its own, not what its master is at work with."""
    done = threading.Event()

    def load() -> None:
        while not done.is_set():
            tvmlcnn.load(server.path, 1)

    threads = [threading.Thread(target=load) for _ in range(2)]
    for thread in threads:
        thread.start()
    for _ in range(50):
        worker = os.fork()
        if not worker:
            sys.exit(0)
        assert end_of(worker) == 0
    done.set()


if __name__ == "__main__":
    _end_in_time()
    _, path, case, *arguments = sys.argv
    _server = Server(path)
    globals()[case](_server, *arguments)
