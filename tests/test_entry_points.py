"""Which objects entry points may name, and what is said of others."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tvmlcnn import UserError, plugins, schedules, targets

X86 = targets.DEVICES["x86"]
RULE = schedules.RULES["cpu"][0]


def of_others(monkeypatch: pytest.MonkeyPatch, *loaded: object) -> None:
    """Have entry points that name these objects."""
    points = [(f"the entry point {i}", each) for i, each in enumerate(loaded, start=1)]
    monkeypatch.setattr(plugins, "load", lambda group: points)


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ([3], "1 names 3, which is no Cpu or Gpu"),
        ([{"mine": X86}], "1 names {'mine': .*, which is no Cpu or Gpu"),
        ([[replace(X86, name="mine"), "b"]], "1 names 'b', which is no Cpu or Gpu"),
        ([replace(X86, name="mine"), replace(X86, name="mine")], "2 adds .* 'mine', which exists"),
        ([replace(X86, name="arm")], "1 adds the target 'arm', which exists already; update"),
        ([replace(X86, name="native")], "1 adds the target 'native', which exists already"),
        ([replace(X86, name="my board")], "1 calls a target 'my board', which no file can be"),
    ],
)
def test_what_is_no_new_target(
    loaded: list[object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_others(monkeypatch, *loaded)
    with pytest.raises(UserError, match=f"^the entry point {said}"):
        targets.resolve("mine")


def test_targets_of_others_are_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    of_others(monkeypatch, replace(X86, name="my-board"))
    with pytest.raises(UserError, match=r"did you mean my-board\?"):
        targets.resolve("my-bord")
    assert targets.records_name(targets.resolve("my-board")) == "my-board"


@pytest.mark.parametrize(
    ("loaded", "said"),
    [
        ([RULE], "1 names Rule.*, which is no mapping of rules"),
        ([{"npu": ()}], "1 has rules for 'npu', which is none of cpu, cuda; update"),
        ([{"cpu": RULE}], "1 names Rule.*, which is no sequence of rules"),
        ([{"cpu": ["dense"]}], "1 names 'dense', which is no Rule"),
        ([{"cuda": [RULE]}], f"1 adds the rule '{RULE.name}', which exists already"),
        ([{"cpu": [replace(RULE, name="a")]}] * 2, "2 adds the rule 'a', which exists already"),
    ],
)
def test_what_is_no_new_rule(
    loaded: list[object], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    of_others(monkeypatch, *loaded)
    with pytest.raises(UserError, match=f"^the entry point {said}"):
        schedules.rules_for(X86)


def test_rules_of_others_are_asked_first(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = (replace(RULE, name=name) for name in ("first", "second"))
    of_others(monkeypatch, {"cpu": (first,), "cuda": ()}, {"cpu": [second]})
    assert schedules.rules_for(X86) == (first, second, *schedules.RULES["cpu"])
    cuda = targets.DEVICES["cuda"]
    assert schedules.rules_for(cuda) == schedules.RULES["cuda"]
