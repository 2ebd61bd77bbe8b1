"""The threads that a model's file brings."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import tvmlcnn
from tools.peers.neighbours import neighbours
from tvmlcnn.runtime.arrays import random_arrays
from tvmlcnn.runtime.machine import logical_cpus
from tvmlcnn.runtime.thread_pool import SOURCE

HARNESS = Path(__file__).parent / "c" / "pool_test.c"
SEVERAL = min(4, logical_cpus())


def tasks() -> int:
    """Return how many threads this process has."""
    return len(os.listdir("/proc/self/task"))


def until_ended(before: int) -> None:
    """Wait for threads that are joined to leave the kernel's list."""
    deadline = time.monotonic() + 10
    while tasks() > before:
        assert time.monotonic() < deadline, f"{tasks() - before} threads are left"
        time.sleep(0.01)


@pytest.mark.parametrize("sanitizer", ["thread", "address,undefined"])
def test_kernels_in_several_pools_at_once(sanitizer: str, tmp_path: Path) -> None:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    program = tmp_path / "pool"
    flags = ["-std=gnu11", "-g", "-O1", "-Wall", "-Wextra", "-Werror", f"-fsanitize={sanitizer}"]
    subprocess.run([gcc, *flags, HARNESS, SOURCE, "-o", program, "-lpthread"], check=True)
    done = subprocess.run([program], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_model_has_as_many_threads_as_it_was_told_and_leaves_none(small_file: Path) -> None:
    before = tasks()
    model = tvmlcnn.load(small_file, SEVERAL)
    model(*random_arrays(model.inputs))
    assert tasks() == before + SEVERAL - 1
    del model
    until_ended(before)


def test_threads_that_call_leave_nothing_behind(small_file: Path) -> None:
    model = tvmlcnn.load(small_file, SEVERAL)
    inputs = random_arrays(model.inputs)
    expected = model(*inputs)
    before = tasks()
    wrong = []

    def call() -> None:
        if not np.array_equal(model(*inputs), expected):
            wrong.append(1)

    for _ in range(200):
        threads = [threading.Thread(target=call) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert not wrong
    until_ended(before)


def test_a_forked_process_computes_and_ends(small_file: Path) -> None:
    model = tvmlcnn.load(small_file, SEVERAL)
    inputs = random_arrays(model.inputs)
    expected = model(*inputs)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            right = all(np.array_equal(model(*inputs), expected) for _ in range(20))
            del model
            status = 0 if right else 2
        finally:
            os._exit(status)
    deadline = time.monotonic() + 60
    while (ended := os.waitpid(child, os.WNOHANG)) == (0, 0) and time.monotonic() < deadline:
        time.sleep(0.01)
    if ended == (0, 0):
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    assert ended == (child, 0), "the forked process hangs or computes something else"
    assert np.array_equal(model(*inputs), expected)


def test_busy_neighbours_do_not_stop_a_model(small_file: Path) -> None:
    """With a spinning program on each CPU two threads take a few times one thread's time at most.

    A pool whose threads wait for the one that does not run takes a hundred times as long.
    """
    if logical_cpus() < 2:
        pytest.skip("one CPU")
    with neighbours(logical_cpus()):
        one, two = tvmlcnn.load(small_file, 1), tvmlcnn.load(small_file, 2)
        inputs = random_arrays(one.inputs)
        times: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(60):
            for model in (one, two):
                start = time.perf_counter()
                model(*inputs)
                times[model.threads].append(time.perf_counter() - start)
        assert np.median(times[2]) < 20 * np.median(times[1])
