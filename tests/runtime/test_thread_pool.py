"""The threads that a model's file brings."""

from __future__ import annotations

import ctypes
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from thread_count import SEVERAL, tasks, until_ended

import tvmlcnn
from tools.peers.neighbours import neighbours
from tvmlcnn.runtime import instances
from tvmlcnn.runtime.arrays import random_arrays
from tvmlcnn.runtime.machine import logical_cpus


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


def test_calls_run_side_by_side(small_file: Path) -> None:
    """Two threads are in a kernel at the same time: each waits there for the other."""
    if logical_cpus() < 2:
        pytest.skip("one CPU")
    model = tvmlcnn.load(small_file, 1)
    inputs = random_arrays(model.inputs)
    met = threading.Barrier(2, timeout=60)
    hook = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)(
        lambda context, call: met.wait() and None
    )
    broken = []

    def call() -> None:
        with model.instances.one() as instance:
            functions, handle = instance._functions, instance._handle
            functions.tvmlcnn_observe(handle, hook, None)
            instance.run(0, model.arguments(*inputs), model.rooms())
            functions.tvmlcnn_observe(handle, None, None)
            broken.append(met.broken)

    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert broken == [False, False]


def test_more_calls_than_instances_wait(small_file: Path) -> None:
    """As many instances are opened as fit the CPUs, and none more."""
    model = tvmlcnn.load(small_file, logical_cpus())
    inputs = random_arrays(model.inputs)
    model(*inputs)
    before, most = tasks(), []
    callers = [
        threading.Thread(target=lambda: most.append([model(*inputs) is None, tasks()]))
        for _ in range(12)
    ]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(most) == 12
    assert max(seen for _, seen in most) <= before + 12
    until_ended(before)


def test_an_instance_that_cannot_be_opened_leaves_its_place(
    small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = tvmlcnn.load(small_file, 1)
    inputs = random_arrays(model.inputs)
    expected = model(*inputs)
    with model.instances.one():  # others have to open one

        def refuse(*arguments: object) -> None:
            raise tvmlcnn.UserError("no memory")

        monkeypatch.setattr(instances, "Instance", refuse)
        for _ in range(2 * logical_cpus()):
            if logical_cpus() > 1:
                with pytest.raises(tvmlcnn.UserError, match="no memory"):
                    model(*inputs)
        monkeypatch.undo()
        if logical_cpus() > 1:
            assert np.array_equal(model(*inputs), expected)


def test_an_interpreter_ends_while_threads_call(small_file: Path) -> None:
    program = f"""
import threading, time, numpy as np, tvmlcnn
model = tvmlcnn.load({str(small_file)!r}, 1)
x = np.zeros(model.inputs[0].shape, np.float32)
def call():
    while True:
        model(x)
for _ in range(4):
    threading.Thread(target=call, daemon=True).start()
time.sleep(0.05)
"""
    for _ in range(3):
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
        )
        assert (done.returncode, done.stderr) == (0, "")


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
