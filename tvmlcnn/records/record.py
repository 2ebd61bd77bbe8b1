"""What is written down of tuning: the winner of a kernel, and each candidate that was measured."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, field, fields
from typing import Any, NamedTuple, TypeVar

AnyEntry = TypeVar("AnyEntry", bound="Entry")

# The target names a folder; a file from elsewhere must not name one outside.
_TARGET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
EMULATED = "emulated "
"""What begins the model of a board whose times say nothing of a real one's."""
_MOST_THREADS = 1 << 16
# Less than a processor's cycle, and eleven days: gains are finite between them.
_LEAST_US, _MOST_US = 1e-6, 1e12
ERRORS = ("build", "crash", "timeout", "wrong result", "device")


class Key(NamedTuple):
    """What a record is for: decisions that are good for one key say nothing of another."""

    workload: str
    target: str
    rule: str
    version: int
    dtype: str
    threads: int


@dataclass(frozen=True)
class Entry:
    """What records and trials have in common.

    Attributes
    ----------
    workload : str
        Canonical text of the kernel, such as ``"conv2d 1x56x56x24 1x1x24x144 ..."``.
    target : str
        As `tvmlcnn.targets.records_name` calls it.
    rule, version : str, int
        Template whose parameters the decisions are, and its version.
    dtype : str
        Name of the element type that the kernel computes in.
    threads : int
        Threads that the kernel was made for and measured with.
    decisions : dict
        Parameters of the template, in JSON's types; where there are none, the untuned default.
    """

    workload: str
    target: str
    rule: str
    version: int
    dtype: str = field(default="float32", kw_only=True)
    threads: int
    decisions: dict[str, Any]

    def __post_init__(self) -> None:
        for name in ("workload", "target", "rule", "dtype"):
            text = getattr(self, name)
            if not text:
                raise ValueError(f"{name} is empty")
        for part in fields(self):
            text = getattr(self, part.name)
            if isinstance(text, str) and part.name != "detail" and not text.isprintable():
                raise ValueError(f"{part.name} {text!r:.40} has characters that cannot be shown")
        if not _TARGET.fullmatch(self.target):
            raise ValueError(f"target {self.target!r} is no name of a folder")
        if not 1 <= self.threads <= _MOST_THREADS:
            raise ValueError(f"threads is {self.threads}; from 1 to {_MOST_THREADS} can be")

    @property
    def key(self) -> Key:
        """What the entry is for."""
        return Key(self.workload, self.target, self.rule, self.version, self.dtype, self.threads)

    def is_stale(self, versions: Mapping[str, int]) -> bool:
        """Return whether the rule is gone, or is at another version than the entry's."""
        return versions.get(self.rule) != self.version

    def to_json(self) -> dict[str, Any]:
        """Return the entry as a JSON object."""
        return asdict(self)

    @classmethod
    def from_json(cls: type[AnyEntry], data: object) -> AnyEntry:
        """Read a JSON object, in which fields that have a default may be missing.

        Raises
        ------
        ValueError
            If another key is missing, or one is unknown or of another type; the message names it.
        """
        if not isinstance(data, dict):
            raise ValueError("no JSON object")
        known = {part.name: part for part in fields(cls)}
        for name, part in known.items():
            kind = str(part.type)
            if name not in data and part.default is MISSING:
                raise ValueError(f"the key {name!r} is missing")
            if name in data and not _is_a(kind, data[name]):
                raise ValueError(f"{name} is {data[name]!r:.40}, not {_WORDS[kind]}")
        if unknown := sorted(data.keys() - known.keys()):
            raise ValueError(f"the key {unknown[0]!r} is unknown; it may be of a newer tvmlcnn")
        return cls(**data)


@dataclass(frozen=True)
class Record(Entry):
    """The best decisions found for a kernel, measured in turns with the untuned default.

    Attributes
    ----------
    microseconds, default_microseconds : float
        Time of one call, tuned and with the template's analytic defaults.
    board : str
        Model of what it was measured on, after "emulated" where that was an emulator, whose times
        say nothing of a real one's.
    trials : int
        Candidates that were measured before this one was chosen.
    tvm, tvmlcnn : str
        Versions that built the kernel.
    date : str
        ISO 8601.
    """

    microseconds: float
    default_microseconds: float
    board: str
    trials: int
    tvm: str
    tvmlcnn: str
    date: str

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_time("microseconds", self.microseconds)
        _check_time("default_microseconds", self.default_microseconds)

    @property
    def gain(self) -> float:
        """How many times as fast as the untuned default."""
        return self.default_microseconds / self.microseconds

    @property
    def is_default(self) -> bool:
        """Whether nothing better than the untuned default was found."""
        return not self.decisions

    @property
    def is_emulated(self) -> bool:
        """Whether it was measured in an emulator."""
        return self.board.startswith(EMULATED)


@dataclass(frozen=True)
class Trial(Entry):
    """One candidate that was measured, good or bad.

    Attributes
    ----------
    microseconds : float or None
        Time of one call; None where there is an error.
    error : str or None
        One of `ERRORS`.
    detail : str
        What the error said; may be empty.
    board : str
        Where it was measured.
    date : str
        ISO 8601.
    """

    microseconds: float | None
    error: str | None
    detail: str
    board: str
    date: str

    def __post_init__(self) -> None:
        super().__post_init__()
        if (self.microseconds is None) == (self.error is None):
            raise ValueError("a trial has either microseconds or an error")
        if self.microseconds is not None:
            _check_time("microseconds", self.microseconds)
        if self.error is not None and self.error not in ERRORS:
            raise ValueError(f"error {self.error!r} is none of {', '.join(ERRORS)}")

    @property
    def is_emulated(self) -> bool:
        """Whether it was measured in an emulator."""
        return self.board.startswith(EMULATED)


def geometric_mean(values: Iterable[float]) -> float | None:
    """Return the geometric mean of positive values; None where there are none."""
    logarithms = [math.log(value) for value in values]
    return math.exp(math.fsum(logarithms) / len(logarithms)) if logarithms else None


def _check_time(name: str, microseconds: float) -> None:
    if not _LEAST_US <= microseconds <= _MOST_US:
        raise ValueError(f"{name} is {microseconds!s:.40}, which no kernel takes")


# By the annotation of a field.
_WORDS = {
    "str": "a text",
    "int": "a whole number",
    "float": "a number",
    "float | None": "a number or null",
    "str | None": "a text or null",
    "dict[str, Any]": "an object",
}


def _is_a(kind: str, value: object) -> bool:
    if value is None:
        return kind.endswith("| None")
    kind = kind.removesuffix(" | None")
    if kind == "dict[str, Any]":
        return isinstance(value, dict)
    if kind == "str":
        return isinstance(value, str)
    if isinstance(value, bool):  # which Python counts among the whole numbers
        return False
    return isinstance(value, int if kind == "int" else (int, float))
