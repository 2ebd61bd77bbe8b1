"""A file of `fake_gpu.build_file`, and the driver of the tests, as `gpu_cases.py` uses them."""

from __future__ import annotations

import ctypes

import numpy as np

OK, NO_MEMORY, UNSUPPORTED, FORKED, FAILED = 0, 2, 3, 5, 6
OUT_OF_MEMORY, NO_BINARY_FOR_GPU, ILLEGAL_ADDRESS = 2, 209, 700
SIZES = (64, 128)
WEIGHT = np.linspace(-1, 1, 256, dtype=np.float32)
_Launch = ctypes.CFUNCTYPE(
    None, ctypes.c_char_p, ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_uint64)
)


def _at(address: int, size: int) -> np.ndarray:
    return np.ctypeslib.as_array((ctypes.c_float * size).from_address(address))


@_Launch
def _compute(name: bytes, shape: ctypes.Array, arguments: ctypes.Array) -> None:
    """Do what a kernel of `fake_gpu.build_file` does."""
    size = shape[0] * shape[3]
    kind, number, *_ = name.decode().split("_")
    assert size == int(number)
    assert list(shape[1:3]) == list(shape[4:6]) == [1, 1]
    assert shape[6] == (4096 if name.endswith(b"reverse_%d_kernel" % size) else 0)
    if kind == "scale":
        y, x, weight = (_at(arguments[i], size) for i in range(3))
        y[:] = x * weight
    elif name.endswith(b"_1"):
        scratch, y = (_at(arguments[i], size) for i in range(2))
        y[:] = scratch
    else:
        x, scratch = (_at(arguments[i], size) for i in range(2))
        scratch[:] = np.nan  # it may lie nowhere else
        scratch[:] = x[::-1]


class Driver:
    """The driver of the tests."""

    def __init__(self) -> None:
        self.functions = ctypes.CDLL("libcuda.so.1")
        self.functions.fake_log.restype = ctypes.c_char_p
        self.functions.fake_on_launch(_compute)
        for size in SIZES:
            for name, arguments in (("scale", 3), ("reverse", 2)):
                self.functions.fake_kernel(b"%s_%d_kernel" % (name.encode(), size), arguments)
            self.functions.fake_kernel(b"reverse_%d_kernel_1" % size, 2)

    def log(self) -> list[str]:
        """Return what was done since the log was last read."""
        lines = str(self.functions.fake_log().decode()).splitlines()
        self.functions.fake_clear_log()
        return lines

    def fail(self, function: str, at: int = 1, error: int = ILLEGAL_ADDRESS) -> None:
        """Have the ``at``-th call of a function fail."""
        self.functions.fake_fail(function.encode(), at, error)

    def live(self) -> int:
        """Return how many objects there are, and contexts on the stack."""
        return int(self.functions.fake_live())


class Instance:
    """An instance of the file."""

    def __init__(self, file: ctypes.CDLL) -> None:
        self.file = file
        file.tvmlcnn_error.restype = ctypes.c_char_p
        self.handle = ctypes.c_void_p()
        self.status = file.tvmlcnn_open(None, ctypes.byref(self.handle))

    @property
    def error(self) -> str:
        text = str(self.file.tvmlcnn_error(self.handle).decode())
        assert "\n" not in text
        return text

    def run(self, program: int, seed: int = 0) -> int:
        """Run a program on random input; the result must be right if there is one."""
        size = SIZES[program]
        # At an address that no vector has.
        x = np.empty(size + 1, np.float32)[1:]
        x[:] = np.random.default_rng(seed).standard_normal(size)
        outputs = [np.full(size, np.nan, np.float32) for _ in range(3)]
        pointers = (ctypes.c_void_p * 3)(*(each.ctypes.data for each in outputs))
        given = (ctypes.c_void_p * 1)(x.ctypes.data)
        status = int(self.file.tvmlcnn_run(self.handle, ctypes.c_size_t(program), given, pointers))
        if status == OK:
            np.testing.assert_array_equal(outputs[0], (x * WEIGHT[:size])[::-1])
            np.testing.assert_array_equal(outputs[1], x)
            np.testing.assert_array_equal(outputs[2], WEIGHT[16 : 16 + size])
            assert self.error == ""
        return status

    def times(self, program: int, rounds: int) -> list[list[int]] | int:
        """Return the microseconds by the GPU's events, a list a round, or a status."""
        x = np.zeros(SIZES[program], np.float32)
        found = np.zeros((rounds, 4), np.float32)
        given = (ctypes.c_void_p * 1)(x.ctypes.data)
        status = int(
            self.file.tvmlcnn_gpu_times(
                self.handle,
                ctypes.c_size_t(program),
                given,
                ctypes.c_size_t(rounds),
                ctypes.c_void_p(found.ctypes.data),
            )
        )
        if status:
            return status
        return [[round(float(us)) for us in row] for row in found]

    def close(self) -> None:
        self.file.tvmlcnn_close(self.handle)


def opened(file: ctypes.CDLL) -> Instance:
    instance = Instance(file)
    assert instance.status == OK, instance.error
    return instance
