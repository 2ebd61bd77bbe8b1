"""Records and trials to test with."""

from __future__ import annotations

from typing import Any

from tvmlcnn.records import Record, Trial

CONV = "conv2d 1x56x56x24 1x1x24x144 strides 1x1"


def record(workload: str = CONV, **changes: Any) -> Record:
    values: dict[str, Any] = {
        "workload": workload,
        "target": "rpi4",
        "rule": "dense",
        "version": 2,
        "decisions": {"tile": [4, 16], "unroll": True, "order": "nhw", "trace": None},
        "microseconds": 100.0,
        "default_microseconds": 125.0,
        "threads": 4,
        "board": "Raspberry Pi 4 Model B",
        "trials": 64,
        "tvm": "0.27.0",
        "tvmlcnn": "0.1.0",
        "date": "2026-11-22T09:00:00Z",
    }
    return Record(**(values | changes))


def trial(workload: str = CONV, **changes: Any) -> Trial:
    values: dict[str, Any] = {
        "workload": workload,
        "target": "rpi4",
        "rule": "dense",
        "version": 2,
        "decisions": {"tile": [4, 16]},
        "microseconds": 100.0,
        "error": None,
        "detail": "",
        "threads": 4,
        "board": "pi@raspberrypi",
        "date": "2026-11-22T09:00:00Z",
    }
    return Trial(**(values | changes))
