"""The modules that TVM packs into a library beside its host code: how they are laid out.

A library's symbol ``__tvm_ffi__library_bin`` holds, little-endian, with 64-bit counts::

    size  import tree (two vectors of u64)  kind [payload]  kind [payload] ...

``_lib`` stands for the host code and has no payload. The payload of a ``cuda`` module is its
format, a table of its kernels and their code. Source: ``library_module.cc`` of tvm-ffi, which
reads the one, and ``cuda_module.cc`` of TVM 0.27, which reads the other.
"""

from __future__ import annotations

import contextlib
import struct
from dataclasses import dataclass

_U64 = struct.Struct("<Q")
_HOST_CODE = b"_lib"
_CUDA = b"cuda"


class _Reader:
    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data, self.at = data, at

    def take(self, size: int) -> bytes:
        part = self.data[self.at : self.at + size]
        if len(part) != size:
            raise ValueError(f"{size} bytes wanted at {self.at}, {len(part)} there")
        self.at += size
        return part

    def u64(self) -> int:
        return int(_U64.unpack(self.take(8))[0])

    def string(self) -> bytes:
        return self.take(self.u64())

    def ends(self) -> None:
        if self.at != len(self.data):
            raise ValueError(f"{len(self.data) - self.at} bytes left over")


def _string(data: bytes) -> bytes:
    return _U64.pack(len(data)) + data


@dataclass(frozen=True)
class CudaModule:
    """The GPU's half of a program.

    Attributes
    ----------
    format : str
        ``"cuda"`` for CUDA C++ source, ``"cubin"`` or ``"fatbin"``. TVM's runtime compiles
        ``"cuda"`` when it loads it and hands everything else to the driver.
    kernels : tuple of str
    table : bytes
        Names, argument types and launch parameters of the kernels, as TVM serialized them.
    code : bytes
    """

    format: str
    kernels: tuple[str, ...]
    table: bytes
    code: bytes

    @classmethod
    def parse(cls, payload: bytes) -> CudaModule:
        """Read a payload; a ValueError says where it does not fit."""
        reader = _Reader(payload)
        kind = reader.string().decode("ascii")
        start = reader.at
        kernels = []
        for _ in range(reader.u64()):
            kernels.append(reader.string().decode("utf-8"))
            reader.string()  # the name again
            reader.take(4 * reader.u64())  # argument types: code, bits, lanes
            for _ in range(reader.u64()):
                reader.string()  # launch parameters: blockIdx.x, ...
            reader.take(4 * reader.u64())  # which arguments are tensor maps
        table = payload[start : reader.at]
        code = reader.string()
        reader.ends()
        return cls(kind, tuple(kernels), table, code)

    def serialize(self) -> bytes:
        """Return the payload that `parse` reads."""
        return _string(self.format.encode("ascii")) + self.table + _string(self.code)


@dataclass(frozen=True)
class LibraryBin:
    """What a library's symbol holds: payloads by kind, in TVM's order, and who imports whom."""

    import_tree: bytes
    modules: tuple[tuple[bytes, bytes], ...]

    @classmethod
    def parse(cls, data: bytes) -> LibraryBin:
        """Read the value of the symbol; a ValueError says where it does not fit."""
        reader = _Reader(data)
        if reader.u64() != len(data) - 8:
            raise ValueError("the size at its head is wrong")
        count = reader.u64() - 1
        reader.take(8 * (count + 1))
        reader.take(8 * reader.u64())
        tree = data[8 : reader.at]
        modules = []
        for _ in range(count):
            kind = reader.string()
            modules.append((kind, b"" if kind == _HOST_CODE else reader.string()))
        reader.ends()
        return cls(tree, tuple(modules))

    def serialize(self) -> bytes:
        """Return the value that `parse` reads."""
        parts = [self.import_tree]
        for kind, payload in self.modules:
            parts.append(_string(kind))
            if kind != _HOST_CODE:
                parts.append(_string(payload))
        return _string(b"".join(parts))

    def cuda_modules(self) -> dict[int, CudaModule]:
        """Return the modules for CUDA by their place in `modules`."""
        return {
            place: CudaModule.parse(payload)
            for place, (kind, payload) in enumerate(self.modules)
            if kind == _CUDA
        }


def find_cuda_modules(library: bytes) -> list[CudaModule]:
    """Return the CUDA modules in a linked library of any machine, found by their layout."""
    mark = _string(_CUDA)
    found = []
    at = library.find(mark)
    while at >= 0:
        # The same four letters can stand anywhere; a module's every length fits as well.
        with contextlib.suppress(ValueError):
            found.append(CudaModule.parse(_Reader(library, at + len(mark)).string()))
        at = library.find(mark, at + 1)
    return found
