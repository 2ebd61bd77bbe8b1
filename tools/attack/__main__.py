"""``python -m tools.attack``."""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
import warnings
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, closing
from pathlib import Path

import click

from tvmlcnn.cli.output import json_option, print_json, print_table
from tvmlcnn.errors import UserError, did_you_mean

from ..run_command import run_command
from .verdict import ANSWERED, OUTCOMES, Verdict, Verdicts

_TURN = 1.0
"""Seconds for a kind before it is another's turn: some take milliseconds, some seconds."""
_LONGEST = 3000  # letters of an answer that was not well


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--seconds", type=click.FloatRange(min=0), default=60.0, show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="Of every input.")
@click.option("--kinds", metavar="A,B,...", help="Only these; by default all.")
@click.option("--case", metavar="KIND:NUMBER", help="Only this input.")
@json_option
def command(seconds: float, seed: int, kinds: str | None, case: str | None, as_json: bool) -> None:
    """Give tvmlcnn what is wrong, of every kind in turns, and judge its answers.

    An input is answered well by a right result, or by one line that says what is wrong. Exit code
    1 where one crashed it, gave a wrong result, or got no answer in time; such a one is printed
    with the command that tries it again.
    """
    from .kinds import KINDS

    warnings.simplefilter("ignore")  # deprecations that concern the frameworks' authors
    name, _, number = (case or "").partition(":")
    chosen = _chosen([name] if case else list(KINDS) if kinds is None else kinds.split(","), KINDS)
    if case and not number.isdecimal():
        raise UserError(f"--case {case}: give KIND:NUMBER, as {name}:17")
    counts = {name: Counter[str]() for name in chosen}
    bad = []
    with ExitStack() as running, tempfile.TemporaryDirectory(prefix="attack-") as around:
        turns = {}
        for name in chosen:
            numbers = [int(number)] if case else itertools.count()
            verdicts = KINDS[name](numbers, seed, Path(around))
            turns[name] = running.enter_context(closing(verdicts))
        for name, verdict in _in_turns(turns, seconds):
            counts[name][verdict.outcome] += 1
            if verdict.outcome == ANSWERED:
                if case:
                    click.echo(f"{case}: {verdict.said}", err=True)
                continue
            again = f"{name}:{verdict.case.rpartition(':')[2]}"
            bad.append({"case": again, "outcome": verdict.outcome, "said": verdict.said})
            click.echo(
                f"{verdict.outcome}: python -m tools.attack --seed {seed} --case {again}\n"
                f"    {verdict.said[:_LONGEST]}",
                err=True,
            )
    if as_json:
        rows = {name: {each: count[each] for each in OUTCOMES} for name, count in counts.items()}
        print_json({"seed": seed, "kinds": rows, "bad": bad})
    else:
        print_table(
            ("kind", "tried", "answered well", *OUTCOMES[1:]),
            [
                (name, count.total(), *(count[o] for o in OUTCOMES))
                for name, count in counts.items()
            ],
        )
    sys.stdout.flush()
    sys.exit(1 if bad else 0)


def _chosen(names: Sequence[str], known: Collection[str]) -> list[str]:
    for name in names:
        if name not in known:
            raise UserError(f"no kind {name!r}{did_you_mean(name, known)}: {', '.join(known)}")
    return list(dict.fromkeys(names))


def _in_turns(turns: dict[str, Verdicts], seconds: float) -> Iterator[tuple[str, Verdict]]:
    """Yield verdicts until the time is over, each kind's for a turn, and one of each at least."""
    deadline = time.monotonic() + seconds
    first = True
    while turns and (first or time.monotonic() < deadline):
        for name in list(turns):
            end = min(time.monotonic() + _TURN, deadline)
            for verdict in turns[name]:
                yield name, verdict
                if time.monotonic() > end:
                    break
            else:
                del turns[name]
        first = False


if __name__ == "__main__":
    sys.exit(run_command(command))
