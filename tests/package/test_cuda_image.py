"""What is in GPU code, told from headers made by hand; the compilers' own are tested with them."""

from __future__ import annotations

import struct

import pytest

from tvmlcnn.package.cuda_image import architectures

_PTX, _CUBIN = 1, 2


def cubin(flags: int, abi: int) -> bytes:
    """Return an ELF header for CUDA."""
    start = b"\x7fELF" + bytes([2, 1, 1, 0x33, abi])
    return start.ljust(18, b"\0") + struct.pack("<H28xI", 190, flags) + bytes(64)


def fatbin(*entries: tuple[int, int], header: int = 64) -> bytes:
    """Return a fatbin of entries of a kind and an architecture, 40 bytes of code each."""
    body = b"".join(
        struct.pack("<H2xIQ12xI", kind, header, 40, arch).ljust(header, b"\0") + bytes(40)
        for kind, arch in entries
    )
    return struct.pack("<IHHQ", 0xBA55ED50, 1, 16, len(body)) + body


@pytest.mark.parametrize(("flags", "abi"), [(0x0557, 7), (0x06005704, 8)])
def test_machine_code_before_and_since_cuda_13(flags: int, abi: int) -> None:
    assert architectures(cubin(flags, abi)) == ("sm_87",)


def test_machine_code_and_ptx_together() -> None:
    held = architectures(fatbin((_CUBIN, 75), (_CUBIN, 87), (_PTX, 75)))
    assert held == ("sm_75", "sm_87", "compute_75")


def test_entries_of_another_kind_are_passed_over() -> None:
    assert architectures(fatbin((16, 75), (_PTX, 90))) == ("compute_90",)


@pytest.mark.parametrize(
    "code", [b"", b"__global__ void f() {}", b".version 8.0", b"\x7fELF" + bytes(100)]
)
def test_neither(code: bytes) -> None:
    with pytest.raises(ValueError, match="neither a cubin nor a fatbin"):
        architectures(code)


@pytest.mark.parametrize("code", [fatbin((_CUBIN, 75))[:-1], fatbin((_CUBIN, 75)) + b"x"])
def test_a_damaged_fatbin(code: bytes) -> None:
    with pytest.raises(ValueError, match="entries end at"):
        architectures(code)
