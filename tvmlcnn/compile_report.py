"""What a compilation tells: its phases while it runs, and a report of what it did."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Report:
    """What `compile` did.

    Attributes
    ----------
    path : Path
        The compiled model.
    size : int
        Bytes of the file.
    target : str
    kernels : dict of str to list of str
        Names of the kernels under the name of the rule that made each.
    records : dict
        Of tuning: how many kernels are ``tuned``, as a record says, and for how many one says
        that the ``default`` is best, ``of`` how many that can be tuned.
    default_rule : str
        The rule among them that takes what no other one does.
    turned_back : list of str
        Operators of Relax that the rewriting to channels-last activations does not know.
    check : dict
        The numeric check against torch: ``max_error`` over the output's range, ``cases``, and
        ``where`` it ran; in ``undecided`` of how many elements of a case rounding decides, where
        of any; or only ``skipped``, the reason.
    seconds : dict of str to float
        Time of each phase.
    warnings : list of str
        What a user should know: how a checkpoint was read, that weights are random or were
        widened; records that are stale, broken, or for other threads.
    quantization : dict or None
        Of an int8 network, as `tvmlcnn.quantization.Quantization` has it: what it was calibrated
        with, which layers stay float32, and its fidelity to float32.
    manifest : dict
        The manifest of the file.
    """

    path: Path
    size: int
    target: str
    kernels: dict[str, list[str]]
    records: dict[str, int]
    default_rule: str
    turned_back: list[str]
    check: dict[str, Any]
    seconds: dict[str, float]
    warnings: list[str]
    quantization: dict[str, Any] | None
    manifest: dict[str, Any] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object, without the manifest."""
        data = asdict(self) | {"path": str(self.path)}
        del data["manifest"]
        return data


class Clock:
    """Times the phases, and tells a listener when each begins.

    Attributes
    ----------
    seconds : dict of str to float
        By the name of the phase.
    """

    def __init__(self, listener: Callable[[str], None]) -> None:
        self.seconds: dict[str, float] = {}
        self._listener = listener
        self._phase, self._since = "", 0.0

    def start(self, phase: str) -> None:
        """Begin a phase, and end the one before."""
        self.stop()
        self._phase, self._since = phase, time.perf_counter()
        self._listener(phase)

    def stop(self) -> None:
        """End the phase."""
        if self._phase:
            spent = time.perf_counter() - self._since
            self.seconds[self._phase] = self.seconds.get(self._phase, 0.0) + spent
        self._phase = ""
