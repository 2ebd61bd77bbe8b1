"""What a tuning run shows, on a terminal and in a log."""

from __future__ import annotations

import io
import time
from collections import Counter

import pytest
from rich.console import Console
from running import run, task

from tvmlcnn.cli import tuning_view as module
from tvmlcnn.cli.tuning_view import render, tuning_view
from tvmlcnn.tuning.state import RunState


def text(state: RunState, screen: Console | None = None) -> str:
    console = Console(file=io.StringIO(), record=True, width=screen.width if screen else 500)
    console.print(render(state, state.started + 50, screen))
    return console.export_text()


def rows(shown: str) -> list[list[str]]:
    return [line.split() for line in shown.splitlines() if line.strip()]


def terminal(width: int = 200, height: int = 24) -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=width, height=height)


def test_rows_and_totals() -> None:
    shown = rows(text(run()))
    assert shown[0] == ["rpi4,", "4", "threads:", "searching"]
    header = ["share", "trials", "us", "default", "gain", "GFLOP/s", "roofline"]
    assert shown[1] == [*header, "rule", "task", "errors"]
    large = ["92.0%", "50", "200.0", "300.0", "1.50", "10.0", "10%", "dense", "large"]
    assert shown[3] == [*large, "2", "build,", "1", "timeout"]
    assert shown[4] == ["4.6%", "30", "40.0", "50.0", "1.25", "50.0", "50%", "dense", "small"]
    assert [" ".join(row) for row in shown[6:]] == [
        "net 1.05 -> 0.74 ms predicted, 1.42 times as fast",
        "other 0.30 -> 0.20 ms predicted, 1.50 times as fast",
        "kernels 0 of 3 done, 1.23 times as fast in the geometric mean",
        "trials 100 of 400 in 0:00:50, about 0:02:30 to go",
        "errors 3 build, 1 timeout",
        "boards pi@one: working, pi@two: set aside: no answer",
    ]


def test_nothing_measured_yet() -> None:
    shown = text(run(tasks=[task("[bold]odd")], budget=None))
    assert "[bold]odd" in shown
    assert "0 of 1 kernels measured untuned" in shown
    assert "None" not in shown
    assert "0 of 0 done" in text(run(tasks=[], rest_us={}))


def test_emulated_times_are_never_a_devices() -> None:
    shown = text(run(emulated=True))
    assert "emulated: these times say nothing of the speed of a rpi4" in shown
    assert "us emulated  default emulated" in shown
    assert "1.05 -> 0.74 ms emulated predicted" in shown
    assert "roofline" not in shown
    assert "GFLOP/s" not in shown
    assert "emulated" in module.log_line(run(emulated=True), 0)
    assert "emulated" not in text(run())


@pytest.mark.parametrize("width", [80, 120, 300])
@pytest.mark.parametrize("height", [14, 24, 50])
def test_it_fits_the_terminal(width: int, height: int) -> None:
    tasks = [
        task(f"features.{i}.conv.{{0,1,2}} + features.{i}:add", default_us=100.0 + i, trials=2)
        for i in range(40)
    ]
    tasks[0].errors = Counter({"wrong result": 3})
    shown = text(run(tasks=tasks), terminal(width, height))
    assert len(shown.splitlines()) < height
    assert all(len(line) <= width for line in shown.splitlines())
    assert "features.39" in shown  # the one with the largest share
    rest = next(row for row in rows(shown) if "more" in row)
    more = int(rest[rest.index("more") - 1])
    assert rest[1] == str(2 * more)  # trials
    assert "wrong" in " ".join(rest)
    assert more + sum("features" in " ".join(row) for row in rows(shown)) == 40


def test_log(monkeypatch: pytest.MonkeyPatch) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now)
    console = Console(file=io.StringIO(), width=40)
    state = run(started=now)
    with tuning_view(state, console) as refresh:
        for _ in range(100):
            refresh()
            now += 0.25
        state.phase = "measuring again"
        refresh()
        refresh()
    written = console.file.getvalue()  # type: ignore[attr-defined]
    lines = written.splitlines()
    phases = [line.split(" ", 1)[1].partition(":")[0] for line in lines[:6]]
    assert phases == ["searching"] * 5 + ["measuring again"]
    assert lines[0] == (
        "0:00:00 searching: 100 of 400 trials; net 1.05 -> 0.74 ms predicted, 1.42 times as fast; "
        "other 0.30 -> 0.20 ms predicted, 1.50 times as fast; errors: 3 build, 1 timeout; "
        "pi@two set aside: no answer"
    )
    assert lines[6] == "rpi4, 4 threads: measuring again"  # the table at the end, once
    assert written.count("share") == 1
    assert "\x1b" not in written


@pytest.mark.parametrize("interrupted", [False, True])
def test_the_last_state_stays(interrupted: bool) -> None:
    console = terminal()
    state = run(tasks=[task("first")])

    def work() -> None:
        with tuning_view(state, console) as refresh:
            refresh()
            state.tasks = [task("last", default_us=10.0)]
            if interrupted:
                raise KeyboardInterrupt

    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            work()
    else:
        work()
    written = console.file.getvalue()  # type: ignore[attr-defined]
    assert "first" in written
    assert "last" in written.rpartition("share")[2]
    assert "first" not in written.rpartition("share")[2]


def test_the_state_may_change_while_it_is_shown() -> None:
    state = run()
    with tuning_view(state, terminal()) as refresh:
        end = time.monotonic() + 1.2
        while time.monotonic() < end:
            state.tasks[0].errors[str(time.monotonic())] += 1
            state.tasks[0].errors.pop(next(iter(state.tasks[0].errors)))
            refresh()
