"""Time several functions in turns, A B C, B C A, ..., so that all see the same noise."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping

_TURN = 0.03  # seconds of a turn's counted calls, about
_LEAST_CALLS, _MOST_CALLS = 2, 20
_LEAST_ROUNDS = 3
# Seconds until threads that poll for the next parallel region are asleep, with room to spare.
SETTLE = 0.03


def interleave(
    calls: Mapping[str, Callable[[], object]],
    seconds: float,
    rounds: int | None = None,
    settle: float = 0.0,
    failed: Callable[[str, Exception], None] = lambda name, error: None,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Return the milliseconds of the counted calls of each function.

    A turn is one call that is not counted, since the others have filled the caches, and 2 to 20
    that are. The first of a round is another one each time.

    Parameters
    ----------
    calls : mapping of str to callable
    seconds : float
        Rounds begin for about so long; at least 3.
    rounds : int, optional
        So many rounds instead.
    settle : float
        Seconds of sleep before each turn.
    failed : callable
        Gets the name and the exception of a function that raises; it is left out from then on.
    clock : callable
        Returns the seconds that are counted.
    """
    names = list(calls)
    repeats: dict[str, int] = {}
    times: dict[str, list[float]] = {name: [] for name in names}
    start = time.perf_counter()
    done = 0
    while names and _wanted(done, rounds, time.perf_counter() - start, seconds):
        shift = done % len(names)
        for name in names[shift:] + names[:shift]:
            call = calls[name]
            time.sleep(settle)
            try:
                first = _milliseconds(call, clock)
                if name not in repeats:
                    wanted = math.ceil(1e3 * _TURN / first)
                    repeats[name] = min(max(wanted, _LEAST_CALLS), _MOST_CALLS)
                times[name] += [_milliseconds(call, clock) for _ in range(repeats[name])]
            except Exception as error:  # whatever a framework raises
                failed(name, error)
                del times[name]
                names = [other for other in names if other != name]
        done += 1
    return times


def _wanted(done: int, rounds: int | None, spent: float, seconds: float) -> bool:
    """Tell whether there is another round."""
    if rounds is not None:
        return done < rounds
    return done < _LEAST_ROUNDS or spent < seconds


def _milliseconds(call: Callable[[], object], clock: Callable[[], float]) -> float:
    start = clock()
    call()
    return 1e3 * (clock() - start)
