"""The state of a tuning run to test with."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any

from tvmlcnn.tuning.state import WORKING, RunState, TaskState


def task(name: str = "a", **changes: Any) -> TaskState:
    values: dict[str, Any] = {
        "name": name,
        "rule": "dense",
        "calls": {"net": 1},
        "flops": 2_000_000,
        "roofline_us": 20.0,
    }
    return TaskState(**(values | changes))


def run(**changes: Any) -> RunState:
    """Return a run of three kernels in two models, one of them not tuned yet."""
    values: dict[str, Any] = {
        "target": "rpi4",
        "threads": 4,
        "boards": {"pi@one": WORKING, "pi@two": "set aside: no answer"},
        "emulated": False,
        "tasks": [
            task("small", trials=30, default_us=50.0, best_us=40.0),
            task(
                "large",
                calls={"net": 3, "other": 1},
                trials=50,
                default_us=300.0,
                best_us=200.0,
                errors=Counter({"build": 2, "timeout": 1}),
            ),
            task("worse", trials=20, default_us=30.0, best_us=33.0, errors=Counter(build=1)),
        ],
        "rest_us": {"net": 70.0},
        "budget": 400,
        "started": time.monotonic(),
        "phase": "searching",
    }
    return RunState(**(values | changes))
