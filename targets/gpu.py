"""What the compiler knows of a GPU, beside what it knows of every device."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .core import MultiplyAdd
from .device import KIB, Device
from .element import CODES, ELEMENT_TYPES, FLOAT16, FLOAT32, TF32, UINT8, ElementType

STATIC_SHARED_BYTES = 48 * KIB
"""What a block may take without asking the driver, on every GPU; CUDA C++ programming guide."""
_ASYNC_FROM = 80
# From here on threads convert, and compare, numbers of float16 (CUDA math API, half).
_HALF_FROM = 53
# The instruction mma of float16 with 16 rows and 8 columns, and of bytes; PTX ISA, mma.
_MMA_FROM = 75
# A thread's instruction for the sum of four products of bytes; PTX ISA, dp4a.
_DOT_FROM, _DOT = 61, 4
# Of a thread; 16 bytes are the most that one load or store moves (PTX ISA, ld and st).
_MULTIPLY_ADDS = {
    FLOAT32: MultiplyAdd("ffma", 4),
    FLOAT16: MultiplyAdd("ffma", 8),
    TF32: MultiplyAdd("ffma", 4),
    UINT8: MultiplyAdd("imad", 16),
}


@dataclass(frozen=True)
class TensorCores:
    """How many multiply-adds the tensor cores of a multiprocessor finish in a cycle.

    Attributes
    ----------
    float16 : int
        Summed up in float32, zeros not skipped.
    int8 : int
        0 where they know no integers.
    tf32 : int
        0 where they know no TF32.
    """

    float16: int
    int8: int = 0
    tf32: int = 0


@dataclass(frozen=True, kw_only=True)
class Gpu(Device):
    """A GPU.

    Attributes
    ----------
    capability : int
        Compute capability times ten: 87 for 8.7.
    multiprocessors : int
    clock_ghz : float or None
        At which all multiprocessors may compute; from the data sheet.
    lanes_of_multiprocessor : int
        Multiply-adds of float32 that a multiprocessor begins in a cycle.
    shared_bytes : int
        Shared memory that a block may take as static arrays: `STATIC_SHARED_BYTES`.
    shared_opt_in_bytes : int
        What it may take as dynamic shared memory (TVM's scope ``shared.dyn``), which the runtime
        asks the driver for.
    shared_of_multiprocessor : int
        Bytes that all blocks on a multiprocessor share.
    registers : int
        Of 32 bits, on a multiprocessor.
    registers_of_block : int
        That the threads of a block may have together.
    threads_of_block : int
    threads_of_multiprocessor : int
        That can be resident.
    l2_bytes : int
    tensor_cores : TensorCores or None
    rounds_to : ElementType
        Factors of float32 as they are multiplied: `TF32` where that is asked for.
    """

    family = "cuda"
    saturates = True  # PTX ISA, "fma": .sat
    shuffles_bytes = False  # of more than eight: PTX ISA, "prmt"

    capability: int
    multiprocessors: int
    clock_ghz: float | None = None
    lanes_of_multiprocessor: int
    shared_bytes: int = STATIC_SHARED_BYTES
    shared_opt_in_bytes: int
    shared_of_multiprocessor: int
    registers: int = 65536
    registers_of_block: int = 65536
    threads_of_block: int = 1024
    threads_of_multiprocessor: int
    l2_bytes: int
    tensor_cores: TensorCores | None = None
    rounds_to: ElementType = FLOAT32

    def multiply_add(self, element: ElementType) -> MultiplyAdd:
        """Return the instruction of a thread, which loads and stores 16 bytes at a time."""
        if not self.computes(element):
            raise ValueError(f"{self.name} has no arithmetic of {element.name}")
        return _MULTIPLY_ADDS[element]

    def computes(self, element: ElementType) -> bool:
        """Tell whether kernels of our own compute in an element type."""
        if element.name == self.codes or (element == TF32 and self.multiplies_by_warps(TF32)):
            return True
        return element == FLOAT32 or (element == FLOAT16 and self.capability >= _HALF_FROM)

    @property
    def codes(self) -> str | None:
        """Bytes without a sign, whose zero after a ReLU is 0; None where none are multiplied."""
        return UINT8.name if self.capability >= _DOT_FROM else None

    def rounding(self, element: ElementType) -> Gpu:
        """Return the GPU as it is to compute layers of float32 in an element type."""
        return replace(self, rounds_to=element) if element == TF32 else self

    def multiplied(self, element: ElementType) -> ElementType:
        """Return the type that factors are of in products of elements, but depthwise ones."""
        return self.rounds_to if element == FLOAT32 else element

    def sums(self, element: ElementType) -> str:
        """Return float32: multiply-adds of it are as fast as those that round to float16."""
        return element.accumulator if element.name in CODES else FLOAT32.name

    def multiplies_by_warps(self, element: ElementType) -> bool:
        """Tell whether a warp's tensor cores multiply an element type (PTX ISA: mma.m16n8k8)."""
        if self.tensor_cores is None or self.capability < _MMA_FROM:
            return False
        if element == TF32:
            return self.tensor_cores.tf32 > 0
        return element == FLOAT16 or element.name == self.codes

    def products_at_once(self, element: ElementType) -> int:
        """Return how many multiply-adds a multiprocessor finishes in a cycle.

        By the instructions that multiply several steps of an element type, 0 where it has none.
        """
        if self.tensor_cores is not None and self.multiplies_by_warps(element):
            cores = self.tensor_cores
            return {FLOAT16: cores.float16, TF32: cores.tf32}.get(element, cores.int8)
        return _DOT * self.lanes_of_multiprocessor if element.name == self.codes else 0

    def multiplies_by_lanes(self, element: ElementType) -> bool:
        """Tell whether nothing beats multiply-adds of lanes, whose sums are of the same type."""
        if not self.computes(element) or self.sums(element) != element.name:
            return False
        return self.products_at_once(self.multiplied(element)) <= self.lanes_of_multiprocessor

    def gain(self, dtype: str) -> float | None:
        """Return how many operations it does in a type in the time of one in float32."""
        name = self.codes if dtype == "int8" else dtype
        element = (ELEMENT_TYPES | CODES).get(name or "")
        if element is None or not self.computes(element):
            return None
        lanes = self.lanes_of_multiprocessor
        return (self.products_at_once(element) or lanes) / lanes

    @property
    def copies_asynchronously(self) -> bool:
        """Whether copies to shared memory need no thread to wait (PTX ISA: cp.async, sm_80)."""
        return self.capability >= _ASYNC_FROM

    @property
    def vectors_of_groups(self) -> int:
        """One: a thread computes neighbouring outputs of one group."""
        return 1

    @property
    def peak_gflops(self) -> float | None:
        """1e9 float32 operations a second of all multiprocessors, a multiply-add counted as two."""
        if self.clock_ghz is None:
            return None
        return 2 * self.multiprocessors * self.lanes_of_multiprocessor * self.clock_ghz

    @property
    def least_gflops(self) -> float | None:
        """Not known."""
        return None

    @property
    def threads_of_kernels(self) -> int:
        """One, whatever the host has: that which launches them."""
        return 1

    @property
    def processor(self) -> str | None:
        """The architecture, as in ``"sm_87"``."""
        return self.tvm.get("arch")
