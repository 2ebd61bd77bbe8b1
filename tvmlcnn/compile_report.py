"""What a compilation tells: its phases while it runs, and a report of what it did."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tvmlcnn import notebook

_SHOWN_SECONDS = 0.05


@dataclass(frozen=True, repr=False)
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
    given_up : dict of str to str
        Why a kernel that another rule had planned was left to that one, by the kernel's name.
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
    given_up: dict[str, str]
    turned_back: list[str]
    check: dict[str, Any]
    seconds: dict[str, float]
    warnings: list[str]
    quantization: dict[str, Any] | None
    manifest: dict[str, Any]

    def facts(self, every_phase: bool = False) -> list[tuple[str, str]]:
        """Return what a user wants to know of it, as names and texts.

        Parameters
        ----------
        every_phase : bool
            Name phases that took next to no time, too.
        """
        spent = {k: s for k, s in self.seconds.items() if every_phase or s >= _SHOWN_SECONDS}
        random = self.manifest["random_weights"]
        return [
            ("file", str(self.path)),
            ("size", f"{self.size / 1e6:.1f} MB"),
            *([("weights", "RANDOM, none were given")] if random else []),
            ("target", self.target),
            *dtype_fact(self.manifest["dtype"]),
            *quantization_facts(self.quantization),
            ("kernels", ", ".join(f"{rule}: {len(k)}" for rule, k in self.kernels.items())),
            *records_fact(self.records),
            ("check", check_fact(self.check)),
            ("seconds", ", ".join(f"{phase} {s:.1f}" for phase, s in spent.items())),
            ("", f"total {sum(self.seconds.values()):.1f}"),
        ]

    def __repr__(self) -> str:
        kernels = sum(map(len, self.kernels.values()))
        count = len(self.warnings)
        warnings = f"; {count} warning{'s' * (count > 1)}" if count else ""
        return (
            f"<tvmlcnn.Report {self.path.name}, {self.size / 1e6:.1f} MB for {self.target}, "
            f"{kernels} kernels; check: {check_fact(self.check)}{warnings}>"
        )

    def _repr_html_(self) -> str:
        warnings = [("warning", text) for text in self.warnings]
        return notebook.table("tvmlcnn.Report", [*self.facts(), *warnings])

    def to_json(self) -> dict[str, Any]:
        """Return the report as a JSON object, without the manifest."""
        data = asdict(self) | {"path": str(self.path), "dtype": self.manifest["dtype"]}
        del data["manifest"]
        return data


def check_fact(check: Mapping[str, Any]) -> str:
    """Return what a file's check says: the error, or why there was no check."""
    if "skipped" in check:
        return f"not done: {check['skipped']}"
    return (
        f"max error {check['max_error']:.1e} of the output's range "
        f"({', '.join(check['cases'])} input; {check['where']})"
    )


def records_fact(records: Mapping[str, int] | None) -> list[tuple[str, str]]:
    """Return about how many kernels records of tuning decide, where any could have one."""
    if not records or not records["of"]:
        return []
    counts = [f"{count} {name}" for name, count in records.items() if name != "of"]
    return [("records", f"{', '.join(counts)}, of {records['of']} kernels")]


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


def dtype_fact(dtype: str) -> list[tuple[str, str]]:
    """Return what a network is computed in; what is said of int8 says more."""
    return [("computed in", dtype)] if dtype != "int8" else []


def quantization_facts(quantization: Mapping[str, Any] | None) -> list[tuple[str, str]]:
    """Return how a network was quantized, and what that did to its results."""
    if not quantization:
        return []
    found = quantization["fidelity"]
    shares = [
        f"best class {found[key]:.1%} {where}"
        for key, where in (("top1", "the same"), ("top5", "among five"))
        if found[key] is not None
    ]
    noise = ", ".join(f"{ratio:.1f}" for ratio in found["snr"].values())
    largest = quantization["largest_weight"]
    fewer = f"; weights of dense layers within {largest}" if largest < 127 else ""
    facts = [
        (
            quantization["dtype"],
            f"calibrated with {quantization['examples']} inputs "
            f"from {quantization['calibration']}{fewer}",
        ),
        (
            "fidelity",
            f"{'; '.join([*shares, f'signal to noise {noise} dB'])} "
            f"({found['examples']} other inputs, against float32)",
        ),
        ("worst layers", ", ".join(f"{name} {ratio:.1f} dB" for name, ratio in found["worst"])),
    ]
    if quantization["kept"]:
        facts.append(("float32 layers", ", ".join(quantization["kept"])))
    return facts
