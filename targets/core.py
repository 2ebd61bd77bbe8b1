"""One core of a CPU, as it computes in one element type."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from .costs import Costs
from .element import ElementType

# Shorter vectors take as much time as whole ones, and a quarter of one is worth no vector code.
_FEWEST_LANES = 4


@dataclass(frozen=True)
class MultiplyAdd:
    """The instruction that adds products to a vector of sums.

    Attributes
    ----------
    name : str
        Its mnemonic.
    lanes : int
        Sums of the vector.
    products : int
        Products that each sum gets: 1 of a multiply-add, 4 of a dot product of bytes.
    widened : str
        The type that elements have to be brought to before, empty where they need not.
    scratch : int
        Registers that it takes for itself.
    longest : int
        So many products are added up before they are added to another sum; 0 where that makes no
        difference.
    by_lane : bool
        Whether one of its factors may be any one lane of a vector, for all sums.
    lane_rows : int
        Registers that a lane may be of, for a tile's rows: as many as leave others for sums.
    paired : int
        So many products are added in 16 bits first: 2, 4 or 8, where the weights are small enough
        (`LARGEST_SUM`); their codes lie in pairs. 0 where none are.
    registers : int
        That the sums of the vector take.
    largest : int
        Weights of codes that it multiplies without saturating are as large at most.
    """

    name: str
    lanes: int
    products: int = 1
    widened: str = ""
    scratch: int = 0
    longest: int = 0
    by_lane: bool = False
    lane_rows: int = 32
    paired: int = 0
    registers: int = 1
    largest: int = 128

    def vectors(self) -> Iterator[int]:
        """Yield the lanes of a vector, of half of one and of a quarter, as far as it has some."""
        for lanes in (self.lanes, self.lanes // 2, self.lanes // 4):
            if lanes >= _FEWEST_LANES:
                yield lanes


@dataclass(frozen=True)
class Arithmetic:
    """How a core computes in an element type.

    Attributes
    ----------
    element : ElementType
    multiply_add : MultiplyAdd
    multiply_adds, loads : float
        Of whole vectors, in a cycle.
    load : float
        What a load takes of the time of multiply-adds that do not wait for it, in multiply-adds.
    of_small : Arithmetic, optional
        That of codes and weights which are small enough for another instruction.
    """

    element: ElementType
    multiply_add: MultiplyAdd
    multiply_adds: float
    loads: float
    load: float = 0
    of_small: Arithmetic | None = None

    @property
    def flops(self) -> float:
        """Operations a cycle, a multiply-add counted as two."""
        return 2 * self.multiply_add.lanes * self.multiply_add.products * self.multiply_adds


@dataclass(frozen=True)
class Core:
    """A core that computes in an element type: what rules choose their tiles by.

    Attributes
    ----------
    arithmetic : Arithmetic
    vector_registers : int
        That code can name.
    caches : tuple of int
        Bytes of the first level (data), second, ... as the core sees them.
    line_bytes : int
        Of the caches.
    count : int
        Cores like this one that share the work.
    costs : Costs
    sharing : int
        Of them, those that have one second cache together.
    """

    arithmetic: Arithmetic
    vector_registers: int
    caches: tuple[int, ...]
    line_bytes: int
    count: int
    costs: Costs
    sharing: int = 1

    @property
    def element(self) -> ElementType:
        """The type of the elements."""
        return self.arithmetic.element

    @property
    def lanes(self) -> int:
        """Sums of a vector."""
        return self.arithmetic.multiply_add.lanes

    def registers_of(self, lanes: int) -> int:
        """Return how many registers the sums of so many lanes take, a vector's or fewer."""
        return max(1, self.arithmetic.multiply_add.registers * lanes // self.lanes)

    @property
    def elements(self) -> int:
        """Elements of a vector: more than sums, which are wider, where they are codes."""
        sums = self.lanes // self.arithmetic.multiply_add.registers
        return sums * np.dtype(self.element.accumulator).itemsize // self.element.bytes

    @property
    def free_registers(self) -> int:
        """Vector registers that a tile and what it reads may take."""
        return self.vector_registers - self.costs.spared_registers

    @property
    def line(self) -> int:
        """Elements of a line of the caches."""
        return self.line_bytes // self.element.bytes

    @property
    def first_cache(self) -> int:
        """Bytes of the first cache."""
        return self.caches[0]

    @property
    def second_cache(self) -> int:
        """Bytes of the second cache that are its own, or of the first where it is the only one."""
        return self.caches[1] // self.sharing if len(self.caches) > 1 else self.first_cache

    @property
    def whole_second_cache(self) -> int:
        """Bytes of the second cache, for what all cores that share it use."""
        return self.caches[1] if len(self.caches) > 1 else self.first_cache

    def multiplying(self, products: int) -> Core:
        """Return the core as it adds so many products to each sum at a time."""
        small = self.arithmetic.of_small
        if small is None or small.multiply_add.products != products:
            return self
        return replace(self, arithmetic=small)

    def bytes(self, elements: int) -> int:
        """Return the bytes of so many elements."""
        return elements * self.element.bytes

    def steps_of_a_load(self, extent: int) -> int:
        """Return how many steps of a reduction of so many a vector brings the values of.

        One load then serves several steps, each of which multiplies by a lane of it. That pays
        for half a vector too; vectors divide the reduction, and chunks of it that are summed up by
        themselves.
        """
        instruction = self.arithmetic.multiply_add
        if not instruction.by_lane:
            return 1
        if 0 < instruction.longest < extent:
            extent = max(n for n in range(1, instruction.longest + 1) if extent % n == 0)
        return math.gcd(extent, self.elements // instruction.products)

    def loads_at_once(self, vectors: int, held: int) -> bool:
        """Tell whether one instruction loads so many vectors, more than two, of weights.

        Their registers follow each other, and others of the kind get what is loaded ahead.

        Parameters
        ----------
        vectors : int
        held : int
            Registers that are taken meanwhile.
        """
        fit = held + 2 * vectors <= self.vector_registers
        return 2 < vectors <= self.costs.vectors_of_a_load and fit

    def vectors(self) -> Iterator[int]:
        """Yield the lanes of its vectors, as `MultiplyAdd.vectors` does."""
        return self.arithmetic.multiply_add.vectors()
