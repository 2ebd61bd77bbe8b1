"""What a file for a GPU does with the driver: each case runs in a process of its own.

LD_LIBRARY_PATH=FOLDER python gpu_cases.py CASE FILE
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

from gpu_company import beside_an_application, forked, in_threads
from gpu_instance import Driver
from gpu_launches import (
    launched_early,
    never_captured,
    observed,
    replayed,
    shared,
    timed,
    without_graphs,
)
from gpu_mistakes import no_device, no_driver, opening_fails, other_architecture, running_fails

CASES: dict[str, Callable[[ctypes.CDLL, Driver], None]] = {
    case.__name__: case
    for case in (
        *(
            replayed,
            launched_early,
            shared,
            observed,
            timed,
            never_captured,
            opening_fails,
            no_device,
        ),
        *(other_architecture, running_fails, beside_an_application, forked, in_threads),
    )
}

if __name__ == "__main__":
    name, file = sys.argv[1], ctypes.CDLL(sys.argv[2])
    if name == no_driver.__name__:
        no_driver(file, None)
    else:
        (CASES | {without_graphs.__name__: without_graphs})[name](file, Driver())
