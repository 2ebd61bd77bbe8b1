"""Element types: what the numbers of a tensor are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ElementType:
    """The type of a tensor's elements.

    Attributes
    ----------
    name : str
        As numpy and TVM call it, but where ``stored`` is another one.
    bytes : int
        Of one element.
    accumulator : str
        The type that sums of products have when a kernel goes on with them.
    tolerance : float
        Largest |error| against torch that the numeric check lets pass, over the output's range.
    rounding : float
        What rounding does to what a network computes, relatively.
    rounded_from : str
        The type that elements have in memory, where they are rounded when they are multiplied.
    """

    name: str
    bytes: int
    accumulator: str
    tolerance: float
    rounding: float
    rounded_from: str = ""

    @property
    def stored(self) -> str:
        """The type of elements in memory, as numpy and TVM call it."""
        return self.rounded_from or self.name


# Sums of some thousand products are off by 3e-6; the tolerance leaves thirty times as much.
FLOAT32 = ElementType("float32", 4, "float32", 1e-4, 3e-6)
# What layers hand on is rounded to 11, and to 8, bits each time. The tolerances leave 64, and 32,
# times that.
FLOAT16 = ElementType("float16", 2, "float16", 64 * 2**-11, 2**-11)
BFLOAT16 = ElementType("bfloat16", 2, "float32", 32 * 2**-8, 2**-8)
# float32 whose factors are rounded to the 11 bits of float16 (PTX ISA, ".tf32"); what is added to
# their sums, and all else, is not.
TF32 = ElementType("tf32", 4, "float32", 64 * 2**-11, 2**-11, FLOAT32.name)
# Sums of integers are exact.
UINT8 = ElementType("uint8", 1, "int32", 0.0, 0.0)
INT8 = ElementType("int8", 1, "int32", 0.0, 0.0)
# What codes grow to in transforms; none are handed on.
INT16 = ElementType("int16", 2, "int32", 0.0, 0.0)

ELEMENT_TYPES: dict[str, ElementType] = {
    element.name: element for element in (FLOAT32, FLOAT16, BFLOAT16, TF32)
}
"""Types of numbers, by name."""
NARROW: dict[str, ElementType] = {element.name: element for element in (FLOAT16, BFLOAT16)}
"""Those of sixteen bits, by name: what long sums of them are not to be kept in."""
CODES: dict[str, ElementType] = {element.name: element for element in (UINT8, INT8)}
"""Types of the codes of quantized numbers, by name."""
