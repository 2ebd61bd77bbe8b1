"""How much of the processors' time other programs take meanwhile."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STAT = Path("/proc/stat")
_IDLE = (3, 4)  # idle and iowait, of the columns of proc_stat(5) after the name
_GUEST = (8, 9)  # counted in others already
_SHORTEST = 0.2  # seconds; the kernel counts hundredths


class Neighbours:
    """Watches the CPUs that this process may run on, from when it is made."""

    def __init__(self) -> None:
        self._since = self._now()

    def share(self) -> float | None:
        """Return the share of the CPUs' time since then that went to others, from 0 to 1.

        None after less than a fifth of a second, and where the kernel does not tell.
        """
        begun, now = self._since, self._now()
        if begun is None or now is None or now[0] - begun[0] < _SHORTEST:
            return None
        wall, busy, ours = (after - before for after, before in zip(now, begun, strict=True))
        share = (busy - ours) / (wall * len(os.sched_getaffinity(0)))
        return min(max(share, 0.0), 1.0)

    def _now(self) -> tuple[float, float, float] | None:
        """Return the time, and the seconds that the CPUs and this process have worked."""
        names = {f"cpu{number}" for number in os.sched_getaffinity(0)}
        ticks = 0
        try:
            for line in _STAT.read_text().splitlines():
                name, *columns = line.split()
                if name in names:
                    left_out = (*_IDLE, *_GUEST)
                    ticks += sum(int(c) for n, c in enumerate(columns) if n not in left_out)
        except (OSError, ValueError):
            return None
        times = os.times()
        ours = times.user + times.system + times.children_user + times.children_system
        return time.perf_counter(), ticks / os.sysconf("SC_CLK_TCK"), ours
