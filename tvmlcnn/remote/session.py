"""One connection to a board, which is one process there."""

from __future__ import annotations

import ctypes
import hashlib
import io
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tvmlcnn.errors import UserError
from tvmlcnn.files import refuse_special
from tvmlcnn.runtime.latency import Latency

from . import protocol
from .tvm_runtime import load_runtime

_CPU = 1  # DLDeviceType
_SESSION_MASK = 128  # RPC_SESS_MASK: a remote device's type is the board's plus this, times session
_BIG_CORES = 1  # TVM's affinity mode; the board's workers are not bound


class Session:
    """What a client does on a board, in a process of its own there.

    Functions of a loaded library are called with tensors of this session. They and the tensors are
    of no use when the session has ended.

    Parameters
    ----------
    name : str
        Of the board.
    remote : tvm_ffi.Module
        TVM's client.
    """

    def __init__(self, name: str, remote: Any) -> None:
        self.name = name
        self._ffi = load_runtime()
        self._global = self._ffi.get_global_func
        self._remote = remote
        index = self._global("rpc.SessTableIndex")(self._remote)
        self._device = self._ffi.device(_CPU + _SESSION_MASK * (index + 1), 0)
        self._uploaded: dict[str, str] = {}

    def load(self, path: str | Path) -> Any:
        """Return a library of kernels, loaded on the board; the file is sent.

        Functions are had by name: ``session.load("kernel.so")["main"](x, y)``.
        """
        return self._global("rpc.LoadRemoteModule")(self._remote, self.upload(path))

    def upload(self, path: str | Path) -> str:
        """Send a file, once a session, and return its path on the board."""
        refuse_special(path)
        content = Path(path).read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        if digest not in self._uploaded:
            # A folder each: messages name the file as the user does, and files may share a name.
            name = f"{digest[:16]}/{Path(path).name}"
            self._answer("upload", name, content)
            self._uploaded[digest] = name
        return self._uploaded[digest]

    def empty(self, shape: Sequence[int], dtype: str = "float32") -> Any:
        """Return a tensor on the board with whatever lies there."""
        allocate = self._global("runtime.TVMTensorAllocWithScope")
        return allocate(self._ffi.Shape(shape), self._ffi.dtype(dtype), self._device, None)

    def tensor(self, array: np.ndarray) -> Any:
        """Return a tensor on the board with the content of an array."""
        packed = np.ascontiguousarray(array)
        result = self.empty(packed.shape, str(packed.dtype))
        pointer = ctypes.c_void_p(packed.ctypes.data)
        self._global("runtime.TVMTensorCopyFromBytes")(result, pointer, packed.nbytes)
        return result

    def array(self, tensor: Any) -> np.ndarray:
        """Return the content of a tensor on the board."""
        result = np.empty(tuple(tensor.shape), str(tensor.dtype))
        pointer = ctypes.c_void_p(result.ctypes.data)
        self._global("runtime.TVMTensorCopyToBytes")(tensor, pointer, result.nbytes)
        return result

    def threads(self, count: int) -> None:
        """Let kernels use ``count`` threads, of as many as the board has CPUs."""
        self._remote["runtime.config_threadpool"](_BIG_CORES, count)

    def time(
        self,
        library: Any,
        name: str,
        arguments: Sequence[Any],
        number: int = 1,
        repeat: int = 1,
        min_repeat_ms: int = 0,
        evict: int = 0,
        fresh: Sequence[int] = (),
    ) -> list[float]:
        """Time a function of a library on the board, after one call that is not timed.

        Parameters
        ----------
        library : tvm_ffi.Module
            What `load` returned.
        name : str
            Of the function.
        arguments : sequence
            Tensors of this session.
        number, repeat, min_repeat_ms : int
            Each of ``repeat`` times is the mean of ``number`` calls, or of as many more as take
            ``min_repeat_ms``.
        evict : int
            Bytes that pass through the board's caches before each repeat, so that the kernel finds
            them as in a network; none by default.
        fresh : sequence of int
            Arguments that are written after that, as a network's kernel before would do.

        Returns
        -------
        list of float
            Seconds.
        """
        if evict:
            self._remote[protocol.SET_EVICT](evict, *fresh)
        evaluator = self._global("runtime.RPCTimeEvaluator")(
            library,
            name,
            self._device.dlpack_device_type(),
            0,
            number,
            repeat,
            min_repeat_ms,
            100,  # repeats at most of calls that take no time at all
            0,  # no pause between repeats
            1,
            0,  # TVM's own flushing goes through the last cache too
            protocol.EVICT if evict else "",
        )
        return [float(seconds) for seconds in np.frombuffer(evaluator(*arguments), np.float64)]

    def run(
        self, path: str | Path, inputs: Sequence[np.ndarray], threads: int | None = None
    ) -> list[np.ndarray]:
        """Run a compiled model on the board, as `tvmlcnn.load` and a call do; return its outputs.

        Raises
        ------
        UserError
            If the file does not fit the board, or an input does not fit the model.
        """
        file = io.BytesIO()
        np.savez(file, *inputs)
        result = self._answer("run", self.upload(path), file.getvalue(), threads or 0)
        with np.load(io.BytesIO(result)) as arrays:
            return [arrays[key] for key in arrays.files]

    def bench(self, path: str | Path, threads: int | None, seconds: float) -> Latency:
        """Measure the latency of a compiled model on the board, as `latency.measure` does."""
        result = self._answer("bench", self.upload(path), threads or 0, float(seconds))
        return Latency(**json.loads(result))

    def gpu_times(
        self, path: str | Path, inputs: Sequence[np.ndarray], calls: int, seconds: float
    ) -> tuple[np.ndarray, list[np.ndarray]]:
        """Time the calls of a program on the board's GPU, for about so many seconds.

        Returns
        -------
        times : ndarray of float32
            As `tvmlcnn.runtime.library.Instance.gpu_times` has them.
        outputs : list of ndarray

        Raises
        ------
        UserError
            If the board has no GPU that takes the file, or no memory there.
        """
        file = io.BytesIO()
        np.savez(file, *inputs)
        result = self._answer("gpu_times", self.upload(path), file.getvalue(), calls, seconds)
        with np.load(io.BytesIO(result)) as arrays:
            times, *outputs = (arrays[key] for key in arrays.files)
        return times, outputs

    def _answer(self, function: str, *arguments: Any) -> Any:
        """Call one of the functions in `functions` there; raise UserError where it reports one."""
        call: Callable[..., Any] = self._remote[protocol.function(function)]
        result = call(*arguments)
        data = bytes(result) if isinstance(result, bytes | bytearray) else result.encode()
        if data.startswith(b"{") and (error := json.loads(data).get("error")):
            raise UserError(f"on {self.name}: {error}")
        return data
