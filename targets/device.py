"""What the compiler knows of a device; a CPU."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

from .core import Arithmetic, Core, MultiplyAdd
from .costs import Costs
from .element import CODES, ELEMENT_TYPES, FLOAT32, ElementType
from .weight_bounds import BYTES, IN_PAIRS, WeightBounds

KIB = 1024
MIB = 1024 * KIB
_SLOW_CLOCK_GHZ = 2.0
# Of symmetric weights: -128 has no opposite.


@dataclass(frozen=True, kw_only=True)
class Device:
    """One device that networks are compiled for.

    Attributes
    ----------
    name, summary : str
    tvm : dict
        TVM's own description of the target; with a key ``host`` for a GPU.
    machine : str
        Machine of the library that is linked: ``"x86_64"``, ``"aarch64"`` or ``"armv7l"``.
    cores : int
        Physical cores that one inference may use (of the host, for a GPU).
    bandwidth_gbs : float or None
        Nominal bandwidth of the memory, 1e9 bytes a second; from the data sheet.
    gpu_code : tuple of str
        What the library holds for a GPU: ``"sm_87"`` is machine code, ``"compute_75"`` is PTX,
        which the driver compiles for a later GPU. Empty for a CPU.
    emulated_cpu : str or None
        QEMU's name of the core, where the result can be checked in emulation.
    extremes_of_nan : bool
        Whether it has instructions for the larger and the smaller of two numbers that give NaN
        where either is.
    estimates_reciprocals : bool
        Whether a product with a reciprocal, of an estimate and two steps to it, takes it less time
        than a quotient.
    """

    family: ClassVar[str]
    """Which rules and phases are for it: ``"cpu"`` or ``"cuda"``."""
    saturates: ClassVar[bool] = False
    """Whether a multiply-add can clamp its result to [0, 1] for nothing."""
    shuffles_bytes: ClassVar[bool] = True
    """Whether an instruction brings bytes of vectors into any other order."""

    name: str
    summary: str
    tvm: dict[str, Any] = field(hash=False)
    machine: str
    cores: int
    bandwidth_gbs: float | None = None
    gpu_code: tuple[str, ...] = ()
    emulated_cpu: str | None = None
    extremes_of_nan: bool = False
    estimates_reciprocals: bool = False

    @property
    def peak_gflops(self) -> float | None:
        """1e9 float32 operations a second of all cores, as data sheets say; None if not known."""
        raise NotImplementedError

    @property
    def codes(self) -> str | None:
        """The type of codes that kernels of our own multiply, None where there are none."""
        return None

    @property
    def weight_bounds(self) -> WeightBounds:
        """How small quantized weights of dense layers are best chosen: bytes, or smaller."""
        return BYTES

    def gain(self, dtype: str) -> float | None:
        """Return how many operations it does in a type in the time of one in float32.

        None where it has no arithmetic of the type; ``"int8"`` is that of its codes.
        """
        return 1.0 if dtype == "float32" else None

    def computes(self, element: ElementType) -> bool:
        """Tell whether kernels of our own compute in an element type."""
        return element == FLOAT32

    def element(self, dtype: str) -> ElementType:
        """Return the type that elements are worked on as; what is only moved moves as float32."""
        found = ELEMENT_TYPES.get(dtype, FLOAT32)
        return found if self.computes(found) else FLOAT32

    def rounding(self, element: ElementType) -> Device:
        """Return the device as it is to compute layers of float32 in an element type.

        Another one than this where it rounds factors as it multiplies them.
        """
        return self

    def multiplied(self, element: ElementType) -> ElementType:
        """Return the type that factors are of in products of elements, but depthwise ones."""
        return element

    def sums(self, element: ElementType) -> str:
        """Return the type that products of an element type are added up in."""
        return element.accumulator

    def multiply_add(self, element: ElementType) -> MultiplyAdd:
        """Return what adds products of an element type to sums.

        Raises
        ------
        ValueError
            If the device has no arithmetic of that type.
        """
        raise NotImplementedError

    @property
    def lanes(self) -> int:
        """Numbers of float32 that a vector has."""
        return self.multiply_add(FLOAT32).lanes

    @property
    def register_bytes(self) -> int:
        """Bytes that the vector registers hold; 0 where code has no vectors."""
        return 0

    def loads_at_once(self, vectors: int, held: int) -> bool:
        """As of `Core.loads_at_once`; never where code has no vectors."""
        return False

    @property
    def vectors_of_groups(self) -> int:
        """Vectors of outputs after which a group of channels has to begin with one."""
        raise NotImplementedError

    @property
    def least_gflops(self) -> float | None:
        """1e9 float32 operations a second that one core does at least; None if not known."""
        raise NotImplementedError

    @property
    def processor(self) -> str | None:
        """What TVM calls the processor, as in ``"znver3"`` or ``"sm_87"``."""
        raise NotImplementedError

    @property
    def threads_of_kernels(self) -> int:
        """Threads of the processor that a kernel is made for, as records of tuning have it."""
        return self.cores

    def with_cores(self, cores: int) -> Device:
        """Return the device as if it, or its host, had ``cores`` cores."""
        return replace(self, cores=cores)


@dataclass(frozen=True, kw_only=True)
class Cpu(Device):
    """A CPU of alike cores.

    Attributes
    ----------
    arithmetic : tuple of Arithmetic
        The element types it computes in, float32 first.
    vector_registers : int
        SIMD registers that code can name.
    caches : tuple of int
        Bytes of the first level (data), second, ... as one core sees them, whoever shares them.
    costs : Costs
    line_bytes : int
        Of the caches.
    sharing : int
        Cores that have one second cache together: each one that computes takes its part of it.
    clock_ghz : float or None
        At which all cores compute; from the data sheet.
    """

    family = "cpu"

    arithmetic: tuple[Arithmetic, ...]
    vector_registers: int
    caches: tuple[int, ...]
    costs: Costs
    line_bytes: int = 64
    sharing: int = 1
    clock_ghz: float | None = None

    @property
    def peak_gflops(self) -> float | None:
        """1e9 float32 operations a second of all cores, a multiply-add counted as two."""
        if self.clock_ghz is None:
            return None
        return self.cores * self.clock_ghz * self.arithmetic[0].flops

    @property
    def least_gflops(self) -> float | None:
        """1e9 float32 operations a second of one core, at a clock that few are below."""
        return _SLOW_CLOCK_GHZ * self.arithmetic[0].flops

    def multiply_add(self, element: ElementType) -> MultiplyAdd:
        """Return the instruction of an element type."""
        return self._arithmetic(element).multiply_add

    @property
    def register_bytes(self) -> int:
        """Bytes that the vector registers hold."""
        return self.vector_registers * self.lanes * FLOAT32.bytes

    def loads_at_once(self, vectors: int, held: int) -> bool:
        """As of `Core.loads_at_once`."""
        return self.core(FLOAT32).loads_at_once(vectors, held)

    @property
    def vectors_of_groups(self) -> int:
        """As many as code is unrolled for."""
        return self.costs.unrolled_vectors

    @property
    def processor(self) -> str | None:
        """LLVM's name of the processor."""
        return self.tvm.get("mcpu")

    @property
    def codes(self) -> str | None:
        """The type of codes that it multiplies, None where it has no arithmetic of one."""
        names = (arithmetic.element.name for arithmetic in self.arithmetic)
        return next((name for name in names if name in CODES), None)

    @property
    def weight_bounds(self) -> WeightBounds:
        """Less than bytes hold, where an instruction takes more of those at a time."""
        if any(arithmetic.multiply_add.paired for arithmetic in self.arithmetic):
            return IN_PAIRS
        small = (arithmetic.of_small for arithmetic in self.arithmetic)
        bounds = [WeightBounds(each.multiply_add.largest) for each in small if each]
        return bounds[0] if bounds else BYTES

    def computes(self, element: ElementType) -> bool:
        """Tell whether it has arithmetic of an element type."""
        return any(arithmetic.element == element for arithmetic in self.arithmetic)

    def gain(self, dtype: str) -> float | None:
        """Return how many operations it does in a type in the time of one in float32."""
        name = self.codes if dtype == "int8" else dtype
        rates = {each.element.name: each.flops for each in self.arithmetic}
        return None if name not in rates else rates[name] / rates["float32"]

    def core(self, element: ElementType) -> Core:
        """Return a core as it computes in an element type.

        Raises
        ------
        ValueError
            If it has no arithmetic of that type.
        """
        return Core(
            self._arithmetic(element),
            self.vector_registers,
            self.caches,
            self.line_bytes,
            self.cores,
            self.costs,
            min(self.cores, self.sharing),
        )

    def _arithmetic(self, element: ElementType) -> Arithmetic:
        for arithmetic in self.arithmetic:
            if arithmetic.element == element:
                return arithmetic
        raise ValueError(f"{self.name} has no arithmetic of {element.name}")

    def with_cores(self, cores: int) -> Cpu:
        """Return the device as if it had ``cores`` cores."""
        return replace(self, tvm=self.tvm | {"num-cores": cores}, cores=cores)
