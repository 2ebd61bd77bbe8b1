"""``python -m tools.attack``: what is judged how, what is told, and a few of each kind."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

import pytest
from click.testing import CliRunner
from conftest import ROOT

sys.path.insert(0, str(ROOT))

from tools.attack import kinds
from tools.attack.__main__ import command
from tools.attack.arguments import _left, _special, _state
from tools.attack.misbehaviours import HARMLESS, OTHERS
from tools.attack.modules import NET, source
from tools.attack.verdict import ANSWERED, CRASHED, HUNG, OUTCOMES, WRONG, Verdict, Verdicts
from tvmlcnn.errors import UserError


def _every_third(numbers: Iterable[int], seed: int, folder: Path) -> Verdicts:
    for number in numbers:
        yield Verdict("x", f"{seed}:{number}", ANSWERED if number % 3 else CRASHED, "it said so")


@pytest.fixture
def faked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "KINDS", {"one": _every_third, "other": _every_third})


@pytest.mark.usefixtures("faked")
def test_what_was_not_well_is_told_with_its_case() -> None:
    ran = CliRunner().invoke(command, ["--seconds", "0", "--seed", "5", "--json"])
    assert ran.exit_code == 1
    told = json.loads(ran.stdout)
    counts = dict.fromkeys(OUTCOMES, 0) | {CRASHED: 1}
    assert told["kinds"] == {"one": counts, "other": counts}
    assert [each["case"] for each in told["bad"]] == ["one:0", "other:0"]
    assert "python -m tools.attack --seed 5 --case other:0" in ran.stderr
    assert CliRunner().invoke(command, ["--case", "one:3"]).exit_code == 1
    well = CliRunner().invoke(command, ["--case", "one:4"])
    assert (well.exit_code, "it said so" in well.stderr) == (0, True)


@pytest.mark.usefixtures("faked")
def test_kinds_take_turns() -> None:
    ran = CliRunner().invoke(command, ["--seconds", "0.2", "--kinds", "other", "--json"])
    (count,) = json.loads(ran.stdout)["kinds"].values()
    assert count[ANSWERED] + count[CRASHED] > 10


@pytest.mark.parametrize("given", ["--kinds=ones", "--case=one", "--case=one:x", "--case=:1"])
@pytest.mark.usefixtures("faked")
def test_what_there_is_not(given: str) -> None:
    with pytest.raises(UserError, match=r"no kind|give KIND:NUMBER"):
        command([given], standalone_mode=False)


_ENDS = f"""
import json, os, sys, tvmlcnn.cli
from pathlib import Path
from tools.attack import command_line
command_line.SECONDS = 1
def error(*texts):
    for text in texts: print(text, file=sys.stderr)
    sys.exit(2)
ends = {{
    "done": (lambda: print("{{}}"), "{ANSWERED}"),
    "mistake": (lambda: error("warning: x", "error: y"), "{ANSWERED}"),
    "no line": (lambda: error("y"), "{CRASHED}"),
    "two lines": (lambda: error("error: x", "error: y"), "{CRASHED}"),
    "exit 1": (lambda: sys.exit(1), "{CRASHED}"),
    "traceback": (lambda: 1 / 0, "{CRASHED}"),
    "signal": (os.abort, "{CRASHED}"),
    "no JSON": (lambda: print("noise"), "{WRONG}"),
    "no number": (lambda: print("NaN"), "{WRONG}"),
    "no end": (lambda: [1 for _ in iter(int, 1)], "{HUNG}"),
}}
for name, (main, outcome) in ends.items():
    tvmlcnn.cli.main = lambda main=main: sys.exit(main())
    found = command_line.judged(command_line.question(["--json"], Path()))
    assert found[0] == outcome, (name, found)
print("judged", len(ends))
"""


def test_how_commands_are_judged() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _ENDS], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "judged 10\n", done.stderr


def test_what_a_command_left_is_judged(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("as it was")
    _special(tmp_path)
    before = _state(tmp_path)
    assert _left(before, _state(tmp_path), "done") == (ANSWERED, "done")
    (tmp_path / "new").touch()
    assert _left(before, _state(tmp_path), "done")[0] == ANSWERED
    assert _left(before, _state(tmp_path), "error: no")[0] == WRONG
    (tmp_path / "new").rename(tmp_path / "pipe")
    assert _left(before, _state(tmp_path), "done")[0] == WRONG


def test_misbehaviours_are_python() -> None:
    compile(NET, "net.py", "exec")
    for each in (*HARMLESS, *OTHERS):
        text = source([each])
        compile(text, "net.py", "exec")
        assert each.code in text


@pytest.mark.long
@pytest.mark.parametrize(
    ("kind", "count"),
    [("programs", 12), ("arguments", 4), ("modules", 2), ("board", 4), ("tracker", 4)],
)
def test_a_few_of_each_kind(kind: str, count: int, tmp_path: Path) -> None:
    """The kinds of `tools.attack.files` have a test of their own."""
    with closing(kinds.KINDS[kind](iter(range(count)), 0, tmp_path)) as verdicts:
        found = list(islice(verdicts, count))
    assert [each.outcome for each in found] == [ANSWERED] * count, found
    assert not list(tmp_path.glob("work*"))
