"""Servers that fork: workers of a model that their master loaded and used."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from test_thread_pool import SEVERAL, tasks, until_ended

import tvmlcnn
from tvmlcnn.runtime.arrays import random_arrays

_SECONDS = 60  # after which a process that hangs is killed by the alarm

Right = Callable[[], bool]


@pytest.fixture
def right(small_file: Path) -> Right:
    """Call a model that was used before, and tell whether it computes what it did then."""
    model = tvmlcnn.load(small_file, SEVERAL)
    inputs = random_arrays(model.inputs)
    expected = model(*inputs)
    return lambda: np.array_equal(model(*inputs), expected)


def forked(work: Callable[[], bool]) -> int:
    """Return the process that does some work and exits with 0 where it returns True."""
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        signal.alarm(_SECONDS)
        code = 0 if work() else 2
    finally:
        os._exit(code)


def end_of(pid: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def all_right(right: Right, threads: int) -> bool:
    """Call from several threads at once."""
    results: list[bool] = []
    callers = [threading.Thread(target=lambda: results.append(right())) for _ in range(threads)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    return results == [True] * threads


@contextmanager
def calling(right: Right, threads: int) -> Iterator[list[bool]]:
    """Call from some threads all the while."""
    done, results = threading.Event(), []

    def call() -> None:
        while not done.is_set():
            results.append(right())

    callers = [threading.Thread(target=call) for _ in range(threads)]
    for caller in callers:
        caller.start()
    try:
        yield results
    finally:
        done.set()
        for caller in callers:
            caller.join()


@pytest.mark.long
def test_ten_thousand_short_threads_leave_nothing(right: Right) -> None:
    assert all_right(right, 4)
    before = tasks()
    assert all(all_right(right, 10) for _ in range(1000))
    until_ended(before)


@pytest.mark.parametrize("threads", [0, 1, 3])
def test_workers_are_forked_again_and_again(right: Right, threads: int) -> None:
    """As gunicorn does for workers that ended, while the master may be at work itself."""
    with calling(right, threads) as results:
        for _ in range(5):
            workers = [forked(lambda: all_right(right, 3)) for _ in range(3)]
            assert [end_of(worker) for worker in workers] == [0] * 3
    assert all(results)
    assert right()


def test_a_worker_may_fork_too(right: Right) -> None:
    def worker() -> bool:
        return right() and end_of(forked(lambda: all_right(right, 2))) == 0 and right()

    assert end_of(forked(worker)) == 0


def test_a_worker_that_is_killed_harms_nobody(right: Right) -> None:
    def for_ever() -> bool:
        while True:
            right()

    workers = [forked(for_ever) for _ in range(2)]
    other = forked(lambda: all(right() for _ in range(50)))
    for worker in workers:
        os.kill(worker, signal.SIGKILL)
    assert [end_of(worker) for worker in workers] == [-signal.SIGKILL] * 2
    assert end_of(other) == 0
    assert right()


def test_a_worker_loads_a_model_of_its_own(right: Right, small_file: Path) -> None:
    def worker() -> bool:
        model = tvmlcnn.load(small_file, SEVERAL)
        model(*random_arrays(model.inputs))
        del model
        return right()

    with calling(right, 1):
        assert [end_of(forked(worker)) for _ in range(3)] == [0] * 3


def test_a_pool_of_processes(right: Right) -> None:
    global _right
    _right = right  # a forked process has it, and nothing is pickled
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert pool.map(_call, range(20)) == [True] * 20
    assert right()


_right: Right = bool


def _call(_: int) -> bool:
    return _right()


def test_workers_that_exit_disturb_no_loading(small_file: Path) -> None:
    """What a worker cleans up when it exits is its own, not what its master is at work with."""
    program = f"""
import os, sys, threading, tvmlcnn
done = threading.Event()
def load():
    while not done.is_set():
        tvmlcnn.load({str(small_file)!r}, 1)
threads = [threading.Thread(target=load) for _ in range(2)]
for thread in threads:
    thread.start()
for _ in range(50):
    worker = os.fork()
    if not worker:
        sys.exit(0)
    assert os.waitpid(worker, 0)[1] == 0
done.set()
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
