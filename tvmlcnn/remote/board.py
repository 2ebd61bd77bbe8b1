"""A board that this program has to itself."""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from tvmlcnn.errors import UserError

from . import protocol, wire
from .board_errors import BoardError, BoardLost, KernelCrashed, KernelTimeout
from .connection import Connection
from .place import Place
from .protocol import Ended
from .session import Session

_BUSY = 3.0  # seconds that the client before may take to leave
_GRACE = 2.0  # seconds that a session's process has to end by itself
_MEANING: dict[int, str] = {
    signal.SIGSEGV: "it read or wrote where nothing is",
    signal.SIGILL: "an instruction that the processor lacks",
    signal.SIGKILL: "perhaps out of memory",
}


class Board:
    """A board, from when it was taken until it is closed; nobody else can use it meanwhile.

    Parameters
    ----------
    find : callable
        Returns a `Place`; called again where the board was lost and is to be had anew.
    """

    def __init__(self, find: Callable[[], Place]) -> None:
        self._find = find
        self._place: Place | None = None
        self._lease: socket.socket | None = None
        self._token = ""
        self._address = ("", 0)
        self._facts: dict[str, Any] = {}
        self.name = ""
        self.take()

    def facts(self) -> dict[str, Any]:
        """Return what the board says of itself.

        ``machine``, ``model``, ``emulated`` (whether its times are those of an emulator),
        ``features``, ``cores``, ``caches`` (bytes), ``tvm`` (its version).
        """
        return self._facts

    @contextmanager
    def session(self, timeout: float | None = None) -> Iterator[Session]:
        """Start a process on the board, which ends with the ``with`` block.

        Parameters
        ----------
        timeout : float, optional
            Seconds that the whole block may take.

        Raises
        ------
        KernelCrashed, KernelTimeout
            If the process was ended by a signal, or the time was up. Another session can begin.
        BoardLost
            If the board does not answer any more. Another session tries to find it again.
        """
        if self._lease is None:
            self.take()
        self._end(0)  # TVM's client would wait for minutes for a board that is gone
        key = protocol.session_key(self._token, timeout)
        # The server ends the session in time; later means that it does not answer any more.
        patience = None if timeout is None else timeout + wire.PATIENCE
        try:
            connection = Connection(self._address, key, patience)
        except RuntimeError as error:
            raise self._lost("it refused a session") from error
        try:
            yield Session(self.name, connection.remote)
        except BoardError:
            raise
        except Exception as error:
            connection.close()
            failure = self._failure(self._end(_GRACE))
            if failure is None:
                raise
            raise failure from error
        except BaseException:
            self.close()
            raise
        finally:
            connection.close()
            if self._lease:
                self._end(_GRACE)

    def _end(self, grace: float) -> Ended:
        """End the session, with ``grace`` seconds to do it by itself; return how it ended."""
        assert self._lease
        try:
            wire.send_json(self._lease, protocol.end(grace))
            return protocol.read_ended(wire.receive_json(self._lease))
        except ValueError as error:
            raise self._lost("it speaks another protocol") from error
        except OSError as error:
            raise self._lost(error) from error

    def _failure(self, ended: Ended) -> BoardError | None:
        """Return the error that an end stands for."""
        if ended.timed_out:
            return KernelTimeout(f"{self.name}: the session took too long and was ended")
        if number := ended.signal:
            name = next(
                (each.name for each in signal.Signals if each == number), f"signal {number}"
            )
            meaning = f" ({_MEANING[number]})" if number in _MEANING else ""
            return KernelCrashed(f"{self.name}: the session was ended by {name}{meaning}")
        if ended.exit:
            return KernelCrashed(f"{self.name}: the session's process ended by itself")
        return None

    def take(self) -> None:
        """Find the board and take it, after it was lost.

        Raises
        ------
        BoardLost
            If it does not answer, or is busy.
        UserError
            If its tvmlcnn speaks another protocol.
        """
        self.close()
        self._place = place = self._find()
        self.name = place.name
        deadline = time.monotonic() + _BUSY
        try:
            while (answer := self._ask()) == wire.BUSY and time.monotonic() < deadline:
                time.sleep(0.05)
        except OSError as error:
            raise self._lost(error, place.hint) from error
        if answer == wire.ACCEPTED:
            return
        self.close()
        if answer == wire.BUSY:
            raise BoardLost(f"{self.name} is busy with another client; try again later")
        if answer == wire.NO_SECRET:
            raise BoardLost(
                f"{self.name} is for those who have its token; name the file that has it",
                parameters=("token_file",),
            )
        raise BoardLost(
            f"{self.name} is lent by a tracker: ask that for it, with its key",
            parameters=("tracker", "key"),
        )

    def _ask(self) -> int:
        """Connect and ask for the board; return its answer."""
        assert self._place
        with ExitStack() as stack:
            connection = wire.connect(self._place.address, wire.PATIENCE)
            stack.callback(connection.close)
            answer = wire.greet(connection, self._place.match_key)
            if answer == wire.ACCEPTED:
                try:
                    hello = protocol.read_hello(wire.receive_json(connection))
                except ValueError as error:
                    raise OSError("it speaks another protocol") from error
                version, self._token, self._facts = hello
                if version != protocol.VERSION:
                    raise UserError(f"{self.name} has another version of tvmlcnn; update both")
                # Where a name stands for several addresses, TVM's client might take another.
                self._address = connection.getpeername()[:2]
                self._lease = connection
                stack.pop_all()
            return answer

    def _lost(self, error: BaseException | str, hint: str = "") -> BoardLost:
        """Give up the connection; return the error to raise."""
        self.close()
        reason = getattr(error, "strerror", None) or error
        return BoardLost(f"{self.name} does not answer ({reason})" + (f"; {hint}" if hint else ""))

    def close(self) -> None:
        """Give the board back, with what was started to reach it."""
        if self._lease:
            self._lease.close()
            self._lease = None
        if self._place:
            self._place.close()
            self._place = None
