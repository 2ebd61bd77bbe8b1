"""The arithmetic of a tuning run."""

from __future__ import annotations

from collections import Counter

import pytest
from running import run, task

from tvmlcnn.tuning.state import DONE


def test_task() -> None:
    one = task(default_us=50.0, best_us=40.0)
    assert one.gain == 1.25
    assert one.gflops == pytest.approx(50)  # 2e6 operations in 40e-6 s
    assert one.roofline == 0.5


def test_task_that_the_search_did_not_better() -> None:
    one = task(default_us=30.0, best_us=33.0)
    assert (one.tuned_us, one.gain) == (30.0, 1.0)
    assert task(default_us=30.0).gain == 1.0


def test_task_without_a_time() -> None:
    one = task()
    assert [one.tuned_us, one.gain, one.gflops, one.roofline, one.total_us] == [None] * 5
    assert task(best_us=33.0).gain is None
    assert task(default_us=30.0, roofline_us=None).roofline is None


def test_predicted_latency() -> None:
    state = run()
    assert state.models == ["net", "other"]
    net, other = state.latency("net"), state.latency("other")
    assert net is not None
    assert other is not None
    assert net.untuned_us == 50 + 3 * 300 + 30 + 70
    assert net.tuned_us == 40 + 3 * 200 + 30 + 70
    assert net.gain == 1050 / 740
    assert (other.untuned_us, other.tuned_us) == (300, 200)


def test_latency_waits_for_every_kernel_of_the_model() -> None:
    state = run()
    state.tasks.append(task("late", calls={"other": 2}))
    assert state.latency("other") is None
    assert state.latency("net") is not None
    assert state.measured("other") == (1, 2)
    state.tasks[-1].best_us = 10.0
    assert state.latency("other") is None
    state.tasks[-1].default_us = 12.0
    assert state.latency("other") is not None


def test_totals() -> None:
    state = run()
    assert state.trials == 100
    assert state.errors == Counter({"build": 3, "timeout": 1})
    assert state.gain == pytest.approx((1.25 * 1.5 * 1) ** (1 / 3))
    assert run(tasks=[]).gain is None
    assert run(tasks=[]).errors == Counter()


def test_the_largest_share_comes_first() -> None:
    state = run()
    state.tasks += [task("unknown", flops=10), task("unknown, more", flops=20)]
    by_share = state.by_share()
    assert [t.name for t, _ in by_share] == ["large", "small", "worse", "unknown, more", "unknown"]
    assert [share for _, share in by_share] == [800 / 870, 40 / 870, 30 / 870, None, None]


def test_time_to_go() -> None:
    state = run(started=1000.0)
    assert state.elapsed(1050.0) == 50
    assert run(started=1000.0, seconds=60.0, phase=DONE).remaining(1050.0) is None
    assert state.remaining(1050.0) == 150  # 300 more trials at 2 a second
    assert run(started=1000.0, seconds=60.0).remaining(1050.0) == 10
    assert run(started=1000.0, budget=None).remaining(1050.0) is None
    assert run(started=1000.0, budget=90).remaining(1050.0) == 0
    # Trials of an earlier run took none of this one's time.
    assert run(started=1000.0, resumed=75).remaining(1050.0) == 600
    assert run(started=1000.0, resumed=100).remaining(1050.0) is None
