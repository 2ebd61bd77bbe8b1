"""Records and trials survive the way through JSON, and nothing else is taken for one."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from making import CONV, record, trial

from tvmlcnn.records import Key, Record, Trial, geometric_mean

COUNTS = ("version", "threads")

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(decisions=st.dictionaries(st.text(), _json), us=st.floats(1e-3, 1e9))
def test_round_trip(decisions: dict[str, Any], us: float) -> None:
    one = record(decisions=decisions, microseconds=us)
    assert Record.from_json(json.loads(json.dumps(one.to_json()))) == one
    good = trial(decisions=decisions, microseconds=us)
    assert Trial.from_json(json.loads(json.dumps(good.to_json()))) == good
    bad = trial(microseconds=None, error="wrong result", detail="3e-2\n")
    assert Trial.from_json(json.loads(json.dumps(bad.to_json()))) == bad


def test_gain_and_staleness() -> None:
    assert record(microseconds=50, default_microseconds=75).gain == 1.5
    assert record(decisions={}).is_default
    assert not record().is_default
    assert not record().is_stale({"dense": 2})
    assert record().is_stale({"dense": 3})
    assert record().is_stale({"dense": 1})
    assert record().is_stale({"depthwise": 2})
    assert geometric_mean([0.5, 8]) == pytest.approx(2)
    assert geometric_mean([]) is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"workload": 3}, "workload is 3, not a text"),
        ({"version": "1"}, "version is '1', not a whole number"),
        ({"version": True}, "version is True, not a whole number"),
        ({"version": 1.5}, "not a whole number"),
        ({"decisions": [1]}, "not an object"),
        ({"dtype": None}, "dtype is None, not a text"),
        ({"dtype": ""}, "dtype is empty"),
        ({"dtype": "int8\n"}, "cannot be shown"),
        ({"threads": 0}, "threads is 0; from 1 to 65536"),
        ({"threads": 1.0}, "threads is 1.0, not a whole number"),
        ({"microseconds": None}, "microseconds is None, not a number"),
        ({"microseconds": 0}, "which no kernel takes"),
        ({"default_microseconds": float("inf")}, "which no kernel takes"),
        ({"microseconds": 1e-300}, "which no kernel takes"),
        ({"default_microseconds": 1e300}, "which no kernel takes"),
        ({"default_microseconds": 10**400}, "which no kernel takes"),
        ({"threads": 10**30}, "from 1 to 65536"),
        ({"board": "a\ud800"}, "cannot be shown"),
        ({"date": "\x1b[2J"}, "cannot be shown"),
        ({"target": "../../etc"}, "no name of a folder"),
        ({"target": ".."}, "no name of a folder"),
        ({"target": ""}, "target is empty"),
        ({"workload": "a\x1b[31m"}, "cannot be shown"),
        ({"mood": 1}, "the key 'mood' is unknown"),
    ],
)
def test_other_things_are_told(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        Record.from_json(record().to_json() | changes)


def test_missing_keys_are_told() -> None:
    for name in record().to_json().keys() - {"dtype"}:
        data = record().to_json()
        del data[name]
        with pytest.raises(ValueError, match=f"the key '{name}' is missing"):
            Record.from_json(data)
    for other in (None, 3, "x", [record().to_json()]):
        with pytest.raises(ValueError, match="no JSON object"):
            Record.from_json(other)


@pytest.mark.parametrize("entry", [record(), trial()])
def test_the_key(entry: Record | Trial) -> None:
    key = Key(CONV, "rpi4", "dense", 2, "float32", 4)
    assert entry.key == key
    for name in key._fields:
        other = type(entry).from_json(entry.to_json() | {name: 9 if name in COUNTS else "other"})
        assert other.key != key


@pytest.mark.parametrize("entry", [record(), trial()])
def test_a_line_without_an_element_type_is_of_float32(entry: Record | Trial) -> None:
    """As they were written before there were others."""
    data = entry.to_json()
    del data["dtype"]
    assert type(entry).from_json(data) == entry
    data["dtype"] = "int8"
    assert type(entry).from_json(data).dtype == "int8"


@pytest.mark.parametrize(
    "changes",
    [
        {"microseconds": None},
        {"error": "crash"},
        {"microseconds": None, "error": "bad mood"},
        {"microseconds": -1.0},
    ],
)
def test_a_trial_has_a_time_or_a_known_error(changes: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"error|no kernel takes"):
        Trial.from_json(trial().to_json() | changes)
