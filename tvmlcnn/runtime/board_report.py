"""What the owner of a board sends to others: the times of a file there, and what the board is."""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from . import machine
from .latency import measure
from .model import load

_CPU = Path("/sys/devices/system/cpu/cpu0/cpufreq")
# What Linux calls them, and the factors to MHz and degrees Celsius.
_CLOCKS = {"now_mhz": "scaling_cur_freq", "most_mhz": "cpuinfo_max_freq"}
_GOVERNOR = _CPU / "scaling_governor"
_HEAT = Path("/sys/class/thermal/thermal_zone0/temp")
_THROTTLED = Path("/sys/devices/platform/soc/soc:firmware/get_throttled")


def report(path: str | Path, seconds: float) -> dict[str, Any]:
    """Time a file on one thread, and on as many as it uses by default; return a JSON object.

    Parameters
    ----------
    path : str or Path
    seconds : float
        How long, for each number of threads.

    Raises
    ------
    UserError
        If the file cannot be loaded here.
    """
    model = load(path)
    manifest = model.manifest
    before = _state()
    counts = sorted({1, model.threads})
    times = [asdict(measure(load(path, threads), seconds)) for threads in counts]
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "file": {
            "model": manifest["model"],
            "target": manifest["target"]["name"],
            "inputs": [str(spec) for spec in model.inputs],
            "tvmlcnn": manifest["versions"]["tvmlcnn"],
            "quantized": manifest["quantization"] is not None,
            "records": manifest["records"],
        },
        "board": {
            "model": machine.model(),
            "machine": machine.machine(),
            "emulated": machine.emulated(),
            "cpus": os.cpu_count(),
            "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20,
            "kernel": platform.release(),
            "system": _system(),
        },
        "before": before,
        "after": _state(),
        "times": times,
    }


def _state() -> dict[str, Any]:
    """Return the clock, its governor, the heat and whether the board was slowed down."""
    clocks = {name: _number(_CPU / file, 1e-3) for name, file in _CLOCKS.items()}
    return {
        **clocks,
        "governor": _text(_GOVERNOR),
        "celsius": _number(_HEAT, 1e-3),
        "throttled": _text(_THROTTLED),
    }


def _system() -> str:
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError):
        return ""


def _text(path: Path) -> str | None:
    """Return what a file of the kernel says; None where it is not there."""
    try:
        return path.read_text().strip()
    except OSError:
        return None


def _number(path: Path, factor: float) -> float | None:
    text = _text(path)
    return None if not text or not text.lstrip("-").isdigit() else int(text) * factor
