"""The live view of a tuning run, on stderr."""

from __future__ import annotations

import copy
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich import box
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tvmlcnn.tuning.state import WORKING, RunState, TaskState

_WIDEST = 150
_LOG_SECONDS = 5.0
_NUMBERS = ("share", "trials", "us", "default", "gain", "GFLOP/s", "roofline")
_TEXTS = ("rule", "task", "errors")
_OF_THE_DEVICE = ("GFLOP/s", "roofline")  # which an emulator's times would only belie
_NARROW = 110
_IF_ROOM = ("default", "rule")


@contextmanager
def tuning_view(state: RunState, console: Console | None = None) -> Iterator[Callable[[], None]]:
    """Show a tuning run, and yield the function to call after each round.

    On a terminal a table is kept up to date; elsewhere a line is left every few seconds and at
    each new phase. The last state stays as a plain table, also where the run is interrupted.
    """
    # A pipe has no width; wrapped lines would be hard to read.
    console = console or Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console = Console(file=console.file, highlight=False, width=1000)
    try:
        with _live(state, console) if console.is_terminal else _log(state, console) as refresh:
            yield refresh
    finally:
        console.print(render(state, time.monotonic()), crop=False)


@contextmanager
def _live(state: RunState, console: Console) -> Iterator[Callable[[], None]]:
    # The clock goes on between rounds, in a thread that must not see a state that changes.
    shown = copy.deepcopy(state)

    def refresh() -> None:
        nonlocal shown
        shown = copy.deepcopy(state)

    with Live(
        get_renderable=lambda: render(shown, time.monotonic(), console),
        console=console,
        refresh_per_second=2,
        redirect_stdout=False,
        transient=True,
    ):
        yield refresh


@contextmanager
def _log(state: RunState, console: Console) -> Iterator[Callable[[], None]]:
    last = (-_LOG_SECONDS, "")

    def refresh() -> None:
        nonlocal last
        now = time.monotonic()
        if now - last[0] >= _LOG_SECONDS or state.phase != last[1]:
            last = (now, state.phase)
            console.print(log_line(state, now), markup=False)

    yield refresh


def render(state: RunState, now: float, screen: Console | None = None) -> Group:
    """Return the tasks, those with the largest share of the time first, and what they sum up to.

    Parameters
    ----------
    state : RunState
    now : float
        By `time.monotonic`.
    screen : Console, optional
        Terminal that must have room for it; the tasks for which it has none become one row.
    """
    title = [Text(f"{state.target}, {state.threads} threads: {state.phase}")]
    if state.emulated:
        title.append(Text(f"emulated: these times say nothing of the speed of a {state.target}"))
    facts = Table.grid(padding=(0, 2))
    facts.add_column()
    facts.add_column(no_wrap=screen is not None, overflow="ellipsis")
    for name, text in _facts(state, now):
        facts.add_row(Text(name), Text(text))
    # Besides the tasks: the header's two lines, and two between the tables.
    rows = screen.height - len(title) - facts.row_count - 5 if screen else len(state.tasks)
    return Group(*title, "", _tasks(state, max(rows, 2), screen), "", facts)


def log_line(state: RunState, now: float) -> str:
    """Return the state in one line."""
    parts = [f"{_clock(state.elapsed(now))} {state.phase}: {_trials(state)} trials"]
    parts += [f"{model} {_latency(state, model)}" for model in state.models]
    if state.errors:
        parts.append(f"errors: {_errors(state.errors)}")
    parts += [f"{name} {text}" for name, text in state.boards.items() if text != WORKING]
    return "; ".join(parts)


def _tasks(state: RunState, rows: int, screen: Console | None) -> Table:
    width = min(screen.width, _WIDEST) if screen else None
    out: tuple[str, ...] = _OF_THE_DEVICE if state.emulated else ()
    if width is not None and width < _NARROW:
        out += _IF_ROOM
    columns = [name for name in (*_NUMBERS, *_TEXTS) if name not in out]
    table = Table(
        box=box.SIMPLE_HEAD,
        show_edge=False,
        pad_edge=False,
        padding=(0, 1, 0, 0),
        expand=width is not None,
        width=width,
    )
    for name in columns:
        mark = " emulated" if state.emulated and name in ("us", "default") else ""
        table.add_column(
            name + mark,
            justify="right" if name in _NUMBERS else "left",
            no_wrap=True,
            overflow="ellipsis",
            # What is left of the width is for these two.
            ratio={"task": 2, "errors": 1}.get(name),
        )
    tasks = state.by_share()
    shown = tasks if len(tasks) <= rows else tasks[: rows - 1]
    for task, share in shown:
        cells = _row(task, share)
        table.add_row(*(cells[name] for name in columns), style="dim" if task.done else None)
    if rest := tasks[len(shown) :]:
        cells = {
            "share": Text(f"{sum(share or 0.0 for _, share in rest):.1%}"),
            "trials": Text(str(sum(task.trials for task, _ in rest))),
            "task": Text(f"{len(rest)} more"),
            "errors": Text(_errors(sum((task.errors for task, _ in rest), Counter()))),
        }
        table.add_row(*(cells.get(name, "") for name in columns))
    return table


def _row(task: TaskState, share: float | None) -> dict[str, Text]:
    cells = {
        "share": _number(share, ".1%"),
        "trials": str(task.trials),
        "us": _number(task.tuned_us, ".1f"),
        "default": _number(task.default_us, ".1f"),
        "gain": _number(task.gain, ".2f"),
        "GFLOP/s": _number(task.gflops, ".1f"),
        "roofline": _number(task.roofline, ".0%"),
        "rule": task.rule,
        "task": task.name,
        "errors": _errors(task.errors),
    }
    return {name: Text(cell) for name, cell in cells.items()}


def _facts(state: RunState, now: float) -> Iterator[tuple[str, str]]:
    for model in state.models:
        yield model, _latency(state, model)
    gain = "" if state.gain is None else f", {state.gain:.2f} times as fast in the geometric mean"
    yield "kernels", f"{sum(task.done for task in state.tasks)} of {len(state.tasks)} done{gain}"
    remaining = state.remaining(now)
    to_go = "" if remaining is None else f", about {_clock(remaining)} to go"
    yield "trials", f"{_trials(state)} in {_clock(state.elapsed(now))}{to_go}"
    if state.errors:
        yield "errors", _errors(state.errors)
    yield "boards", ", ".join(f"{name}: {text}" for name, text in state.boards.items())


def _latency(state: RunState, model: str) -> str:
    latency = state.latency(model)
    if latency is None:
        done, tasks = state.measured(model)
        return f"{done} of {tasks} kernels measured untuned"
    mark = " emulated" if state.emulated else ""
    return (
        f"{latency.untuned_us / 1e3:.2f} -> {latency.tuned_us / 1e3:.2f} ms{mark} predicted, "
        f"{latency.gain:.2f} times as fast"
    )


def _trials(state: RunState) -> str:
    text = str(state.trials) if state.budget is None else f"{state.trials} of {state.budget}"
    return f"{text}, {state.resumed} of them before," if state.resumed else text


def _errors(errors: Counter[str]) -> str:
    return ", ".join(f"{count} {kind}" for kind, count in errors.most_common())


def _number(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(int(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}"
