"""Several boards that share the work, and go on without those that drop out."""

from __future__ import annotations

import queue
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from typing import Generic, TypeVar

from .board import Board
from .board_errors import BoardError, BoardLost

T = TypeVar("T")
R = TypeVar("R")

_RETRIES = 2  # of a board that was lost; then it is set aside
_PAUSE = 2.0  # seconds before a retry, and twice as many before the second
_TRIES = 2  # of work that loses its board: the third might lose the last board


class Fleet:
    """The boards of a run.

    Attributes
    ----------
    lost : dict of str to str
        Names of boards that dropped out and have not come back, and why.
    """

    def __init__(self, boards: Iterable[Board], lost: dict[str, str] | None = None) -> None:
        self._boards = list(boards)
        self.lost: dict[str, str] = lost or {}

    def __len__(self) -> int:
        return len(self._boards)

    def __iter__(self) -> Iterator[Board]:
        return iter(tuple(self._boards))

    def __getitem__(self, index: int) -> Board:
        return self._boards[index]

    def map(
        self, work: Callable[[Board, T], R], items: Iterable[T]
    ) -> Iterator[tuple[T, R | BoardError]]:
        """Do ``work(board, item)`` for each item, on all boards at once; yield as they finish.

        A kernel's crash or timeout is the item's result. A board that is lost is tried again, and
        then set aside; its item goes to another.

        Yields
        ------
        item, result
            What ``work`` returned, or the BoardError that it raised.

        Raises
        ------
        BoardLost
            If no board is left and there is work to do. What is done was yielded before.
        """
        shift: _Shift[T, R] = _Shift(items)
        threads = [
            threading.Thread(target=self._labour, args=(board, work, shift), daemon=True)
            for board in self._boards
        ]
        for thread in threads:
            thread.start()
        try:
            yield from shift.results(len(threads))
        finally:
            shift.stop()
            for thread in threads:
                thread.join()
        if shift.is_left():
            reasons = "; ".join(self.lost.values())
            raise BoardLost(f"no board is left: {reasons}")

    def _labour(self, board: Board, work: Callable[[Board, T], R], shift: _Shift[T, R]) -> None:
        losses, lost = 0, ""
        try:
            while (job := shift.take()) is not None:
                try:
                    result: R | BoardError = work(board, job.item)
                except BoardLost as error:
                    losses, lost = losses + 1, lost or board.name
                    self.lost.setdefault(lost, str(error))
                    shift.give_back(job, error)
                    if losses > _RETRIES or not _is_back(board, shift):
                        self._boards.remove(board)
                        return
                    continue
                except BoardError as error:
                    result = error
                self.lost.pop(lost, None)
                losses, lost = 0, ""
                shift.finish(job, result)
        except BaseException as error:
            shift.fail(error)
        finally:
            shift.leave()

    def close(self) -> None:
        """Give the boards back."""
        for board in self._boards:
            board.close()


def _is_back(board: Board, shift: _Shift[T, R]) -> bool:
    """Try to take a board again that was lost; tell whether it is back."""
    for attempt in range(_RETRIES):
        shift.wait(_PAUSE * (attempt + 1))
        with suppress(BoardLost):
            board.take()
            return True
    return False


class _Job(Generic[T]):
    """An item, and how often it has lost its board."""

    def __init__(self, item: T) -> None:
        self.item = item
        self.losses = 0


class _Shift(Generic[T, R]):
    """The work of one call of `Fleet.map`, shared by its threads."""

    def __init__(self, items: Iterable[T]) -> None:
        self._items = iter(items)
        self._again: deque[_Job[T]] = deque()
        self._running = 0
        self._stopped = self._exhausted = False
        self._changed = threading.Condition()
        self._results: queue.Queue[tuple[T, R | BoardError] | BaseException | None] = queue.Queue()

    def take(self) -> _Job[T] | None:
        """Return a job, or None when all are done; wait while one may still be given back."""
        with self._changed:
            while not self._stopped:
                job = self._again.popleft() if self._again else self._next()
                if job:
                    self._running += 1
                    return job
                if not self._running:
                    return None
                self._changed.wait()
            return None

    def _next(self) -> _Job[T] | None:
        for item in self._items:
            return _Job(item)
        self._exhausted = True
        return None

    def finish(self, job: _Job[T], result: R | BoardError) -> None:
        """Note the result of a job."""
        if isinstance(result, BoardError):
            # Its frames hold the session's tensors; TVM has room for 32 sessions.
            result.__traceback__ = result.__cause__ = result.__context__ = None
        with self._changed:
            self._running -= 1
            self._results.put((job.item, result))
            self._changed.notify_all()

    def give_back(self, job: _Job[T], error: BoardLost) -> None:
        """Let another board do a job, unless it has cost too many boards already."""
        job.losses += 1
        if job.losses >= _TRIES:
            self.finish(job, error)
            return
        with self._changed:
            self._running -= 1
            self._again.append(job)
            self._changed.notify_all()

    def wait(self, seconds: float) -> None:
        """Wait, but not longer than there is work."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopped or self._is_done(), seconds)

    def _is_done(self) -> bool:
        return self._exhausted and not self._again and not self._running

    def fail(self, error: BaseException) -> None:
        """Let the caller of `Fleet.map` see an error of ``work``."""
        self._results.put(error)

    def leave(self) -> None:
        """Note that a thread has ended."""
        self._results.put(None)

    def stop(self) -> None:
        """Let the threads end after the work at hand."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def is_left(self) -> bool:
        """Tell whether there is work that nobody does; takes an item where it has to look."""
        return bool(self._again) or self._next() is not None

    def results(self, threads: int) -> Iterator[tuple[T, R | BoardError]]:
        """Yield results until all threads have ended; raise the error of one."""
        while threads:
            result = self._results.get()
            if result is None:
                threads -= 1
            elif isinstance(result, BaseException):
                raise result
            else:
                yield result
