"""Progress by phase, on stderr."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn


@contextmanager
def phases(verbose: bool) -> Iterator[Callable[[str], None]]:
    """Show the phase at work, and yield the function that is told of each new one.

    On a terminal one line is rewritten and removed at the end, and elsewhere there is none; with
    ``verbose`` each phase leaves a line.
    """
    console = Console(stderr=True, highlight=False)
    if verbose:
        yield lambda phase: console.print(f"{phase} ...", markup=False)
        return
    if not console.is_terminal:
        yield lambda phase: None
        return
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("", total=None)
        yield lambda phase: progress.update(task, description=phase)
