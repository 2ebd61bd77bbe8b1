"""The functions of a compiled file, by ``c/tvmlcnn.h``."""

from __future__ import annotations

import _ctypes
import ctypes
import itertools
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from tvmlcnn.errors import UserError

_ABI = 1  # TVMLCNN_ABI
# TVMLCNN_NO_MEMORY and TVMLCNN_UNSUPPORTED: of the machine, not of the file.
_USERS = (2, 3)
_Pointers = ctypes.POINTER(ctypes.c_void_p)
_Bytes = ctypes.c_char * 0
_loads = itertools.count(1)


class _Options(ctypes.Structure):
    _fields_ = (
        ("threads", ctypes.c_uint32),
        ("cpus", ctypes.POINTER(ctypes.c_uint32)),
        ("cpu_count", ctypes.c_size_t),
    )


class _Frame(ctypes.Structure):
    _fields_ = (
        ("pixels", ctypes.c_void_p),
        ("width", ctypes.c_uint32),
        ("height", ctypes.c_uint32),
        ("stride", ctypes.c_size_t),
    )


class _Times(ctypes.Structure):
    _fields_ = (("clock", ctypes.c_int32), ("nanoseconds", ctypes.c_void_p))


# Return and argument types of each function.
_FUNCTIONS = {
    "tvmlcnn_abi": (ctypes.c_int, []),
    "tvmlcnn_programs": (ctypes.c_size_t, []),
    "tvmlcnn_inputs": (ctypes.c_void_p, [ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]),
    "tvmlcnn_outputs": (ctypes.c_void_p, [ctypes.c_size_t, ctypes.POINTER(ctypes.c_size_t)]),
    "tvmlcnn_open": (
        ctypes.c_int,
        [ctypes.POINTER(_Options), ctypes.POINTER(ctypes.c_void_p)],
    ),
    "tvmlcnn_threads": (ctypes.c_uint32, [ctypes.c_void_p]),
    "tvmlcnn_run": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_size_t, _Pointers, _Pointers]),
    "tvmlcnn_observe": (ctypes.c_int, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]),
    "tvmlcnn_error": (ctypes.c_char_p, [ctypes.c_void_p]),
    "tvmlcnn_close": (None, [ctypes.c_void_p]),
}


_OF_FRAMES = {
    "tvmlcnn_run_frames": (
        ctypes.c_int,
        [ctypes.c_void_p, ctypes.c_size_t, ctypes.POINTER(_Frame), _Pointers],
    ),
}
"""What a file has that resizes frames."""


class Library:
    """A loaded file.

    Parameters
    ----------
    path : Path
    resizes : bool
        Whether it takes frames of any size.

    Raises
    ------
    UserError
        If the dynamic loader refuses it.
    """

    def __init__(self, path: Path, resizes: bool = False) -> None:
        self.path = path
        self._library = _loaded(path)
        for name, (result, arguments) in (_FUNCTIONS | (_OF_FRAMES if resizes else {})).items():
            function = getattr(self._library, name, None)
            if function is None:
                raise UserError(f"{path} is damaged: {name} is missing; compile it again")
            function.restype, function.argtypes = result, arguments
        if self.functions.tvmlcnn_abi() != _ABI:
            raise UserError(f"{path} is of another version of tvmlcnn; compile it again")

    @property
    def functions(self) -> ctypes.CDLL:
        """The functions, by their names."""
        return self._library

    @property
    def note_time(self) -> int:
        """The address of ``tvmlcnn_note_time``."""
        address = ctypes.cast(self._library.tvmlcnn_note_time, ctypes.c_void_p).value
        assert address
        return address


class Instance:
    """An instance of a file's network: threads and a workspace; it runs one call at a time."""

    def __init__(self, library: Library, threads: int) -> None:
        self._library = library
        self._functions = library.functions
        self._handle = ctypes.c_void_p()
        options = _Options(threads, None, 0)
        status = self._functions.tvmlcnn_open(options, self._handle)
        # Not when Python exits: other threads may still run kernels then.
        weakref.finalize(self, self._functions.tvmlcnn_close, self._handle).atexit = False
        if status:
            raise UserError(f"{library.path}: {self._error()}")
        self._run = self._functions.tvmlcnn_run

    def run(
        self, program: int, inputs: Sequence[np.ndarray], outputs: Sequence[np.ndarray]
    ) -> None:
        """Run a program on arrays without gaps, of its types and shapes."""
        status = self._run(self._handle, program, _addresses(inputs), _addresses(outputs))
        if status:
            raise self._failure(status)

    def run_frames(self, program: int, frames: np.ndarray, outputs: Sequence[np.ndarray]) -> None:
        """Run a program on frames of any size, uint8 of shape (N, height, width, channels)."""
        batch, height, width, _ = frames.shape
        address, size = _address(frames), frames[0].nbytes
        each = [_Frame(address + i * size, width, height, 0) for i in range(batch)]
        status = self._functions.tvmlcnn_run_frames(
            self._handle, program, (_Frame * batch)(*each), _addresses(outputs)
        )
        if status:
            raise self._failure(status)

    @contextmanager
    def timed(self, clock: int, calls: int) -> Iterator[np.ndarray]:
        """Have each run in the ``with`` block note when each of its kernels ends.

        The array has the nanoseconds of a clock of `time.clock_gettime`, of ``calls`` kernels and,
        before them, of the beginning.
        """
        nanoseconds = np.zeros(calls + 1, np.int64)
        times = _Times(clock, nanoseconds.ctypes.data)
        pointer = ctypes.cast(ctypes.pointer(times), ctypes.c_void_p)
        self._functions.tvmlcnn_observe(self._handle, self._library.note_time, pointer)
        try:
            yield nanoseconds
        finally:
            self._functions.tvmlcnn_observe(self._handle, None, None)

    def gpu_times(
        self, program: int, inputs: Sequence[np.ndarray], calls: int, rounds: int
    ) -> np.ndarray:
        """Time a program on the GPU by its own events.

        Returns
        -------
        ndarray of float32
            Microseconds, a row a round: of the whole program as it runs by itself; then of the
            first call of a kernel, of the gap behind it, of the second call, and so on. ``calls``
            is at least 1.
        """
        measured = np.zeros((rounds, 2 * calls), np.float32)
        try:
            function = self._functions.tvmlcnn_gpu_times
        except AttributeError as error:
            raise UserError(
                f"{self._library.path} cannot time its kernels; compile it again"
            ) from error
        function.argtypes = [
            *(ctypes.c_void_p, ctypes.c_size_t, _Pointers, ctypes.c_size_t, ctypes.c_void_p)
        ]
        address = measured.ctypes.data
        status = function(self._handle, program, _addresses(inputs), rounds, address)
        if status:
            raise self._failure(status)
        return measured

    def _failure(self, status: int) -> Exception:
        said = f"{self._library.path}: {self._error()}"
        return UserError(said) if status in _USERS else RuntimeError(said)

    def _error(self) -> str:
        return str(self._functions.tvmlcnn_error(self._handle).decode())


def _addresses(arrays: Sequence[np.ndarray]) -> ctypes.Array[ctypes.c_void_p]:
    return (ctypes.c_void_p * len(arrays))(*map(_address, arrays))


def _address(array: np.ndarray) -> int:
    """Return where an array without gaps lies, in a fourth of the time that numpy takes to say."""
    if array.flags.writeable:
        return ctypes.addressof(_Bytes.from_buffer(array))  # type: ignore[arg-type]
    return int(array.ctypes.data)


def _loaded(path: Path) -> ctypes.CDLL:
    """Load a library, be it another one under a name that this process has loaded before.

    The dynamic loader knows libraries by the names under which they were loaded, and would return
    the former one where a file was compiled again meanwhile.
    """
    try:
        library = ctypes.CDLL(_new_name(path.absolute()))
    except OSError as error:
        raise UserError(f"{path} cannot be loaded: {error}") from error
    # Its functions keep it, and so do instances. When Python exits threads may still run kernels.
    weakref.finalize(library, _ctypes.dlclose, library._handle).atexit = False
    return library


def _new_name(path: Path) -> str:
    """Return a name of a file that was not used before: steps to where one is say the number."""
    number = next(_loads)
    steps = "".join("/." if number >> bit & 1 else "/" for bit in range(number.bit_length()))
    return f"{path.parent}{steps}/{path.name}"
