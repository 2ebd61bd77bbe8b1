"""Modules as TVM packs them, made by hand: read, changed, written, and found in a library."""

from __future__ import annotations

import struct

import pytest

from tvmlcnn.package.library_bin import CudaModule, LibraryBin, find_cuda_modules


def string(data: bytes) -> bytes:
    return struct.pack("<Q", len(data)) + data


def kernel(name: bytes) -> bytes:
    """Two arguments, launch parameters of one axis, and a tensor map."""
    types = struct.pack("<QII", 2, 1, 2)
    launch = struct.pack("<Q", 2) + string(b"blockIdx.x") + string(b"threadIdx.x")
    return string(name) + string(name) + types + launch + struct.pack("<QI", 1, 1)


TABLE = struct.pack("<Q", 2) + kernel(b"add_kernel") + kernel(b"relu_kernel")
MODULE = CudaModule("cuda", ("add_kernel", "relu_kernel"), TABLE, b"__global__ ...")
# The host code imports the CUDA module: two vectors, where each one's imports start, and which.
TREE = struct.pack("<4Q", 3, 0, 1, 1) + struct.pack("<2Q", 1, 1)


def packed(module: CudaModule) -> bytes:
    modules = string(b"_lib") + string(b"cuda") + string(module.serialize())
    return string(TREE + modules)


def test_a_module_is_read_and_written() -> None:
    assert CudaModule.parse(MODULE.serialize()) == MODULE


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (MODULE.serialize() + b"x", "1 bytes left over"),
        (MODULE.serialize()[:-1], "14 bytes wanted"),
        (b"", "8 bytes wanted at 0, 0 there"),
    ],
)
def test_a_module_that_does_not_fit(payload: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        CudaModule.parse(payload)


def test_packed_modules_are_read_and_written() -> None:
    parsed = LibraryBin.parse(packed(MODULE))
    assert parsed.import_tree == TREE
    assert [kind for kind, _ in parsed.modules] == [b"_lib", b"cuda"]
    assert parsed.cuda_modules() == {1: MODULE}
    assert parsed.serialize() == packed(MODULE)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (packed(MODULE)[:-1], "size"),
        (packed(MODULE) + b"x", "size"),
        (string(TREE + string(b"_lib")), "8 bytes wanted"),
        (string(packed(MODULE)[8:] + b"xy"), "2 bytes left over"),
    ],
)
def test_packed_modules_that_do_not_fit(data: bytes, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        LibraryBin.parse(data)


def test_modules_are_found_in_a_library() -> None:
    """Not what only begins like one: the word alone, or with a length that is wrong."""
    other = CudaModule("cubin", ("add_kernel", "relu_kernel"), TABLE, b"\x7fELF")
    false = string(b"cuda") + string(b"no module") + string(b"cuda") + struct.pack("<Q", 1 << 40)
    library = b"cuda" + packed(MODULE) + false + packed(other) + string(b"cuda")
    assert find_cuda_modules(library) == [MODULE, other]
    assert find_cuda_modules(b"cuda" * 10) == []
