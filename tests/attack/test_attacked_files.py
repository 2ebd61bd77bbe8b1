"""Two thousand damaged files, of every kind, from a fixed seed; `tools.attack` tries more."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest
from conftest import ROOT

sys.path.insert(0, str(ROOT))

from tools.attack.files import KINDS, attack
from tools.attack.mutations import damaged, damaged_json
from tools.attack.reader import judged
from tools.attack.verdict import ANSWERED, CRASHED

SEED = 1
COUNT = 2000


@pytest.mark.long
def test_every_damaged_file_is_answered(small_file: Path, tmp_path: Path) -> None:
    verdicts = list(attack(range(COUNT), SEED, tmp_path, small_file))
    assert [v for v in verdicts if v.outcome != ANSWERED] == []
    assert Counter(v.kind for v in verdicts).keys() == set(KINDS)
    refused = sum(v.said != "read" for v in verdicts)
    assert refused > COUNT / 2  # else nothing has been damaged
    assert sum(v.said == "read" for v in verdicts if v.kind == "forged") > 0


def test_damage_is_the_same_for_the_same_seed() -> None:
    content = bytes(range(256)) * 20
    for number in range(50):
        one, other = (damaged(content, Random(f"0:{number}")) for _ in range(2))
        assert one == other
        text = '{"a": [1, {"b": 2.5}], "c": "x"}'
        assert damaged_json(text, Random(number)) == damaged_json(text, Random(number))


def test_what_is_judged_a_crash(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(path: object, original: object) -> None:
        raise KeyError(path)

    monkeypatch.setitem(sys.modules["tools.attack.reader"].READERS, "npy", fail)
    assert judged("npy", tmp_path, tmp_path)[0] == CRASHED
