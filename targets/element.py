"""Element types: what the numbers of a tensor are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ElementType:
    """The type of a tensor's elements.

    Attributes
    ----------
    name : str
        As numpy and TVM call it.
    bytes : int
        Of one element.
    accumulator : str
        The type that sums of products have.
    tolerance : float
        Largest |error| against torch that the numeric check lets pass, over the output's range.
    """

    name: str
    bytes: int
    accumulator: str
    tolerance: float


# The tolerance leaves a hundred times the rounding of a sum of some thousand products.
FLOAT32 = ElementType("float32", 4, "float32", 1e-4)
# Sums of integers are exact.
UINT8 = ElementType("uint8", 1, "int32", 0.0)
INT8 = ElementType("int8", 1, "int32", 0.0)

ELEMENT_TYPES: dict[str, ElementType] = {element.name: element for element in (FLOAT32,)}
"""Types of numbers, by name."""
CODES: dict[str, ElementType] = {element.name: element for element in (UINT8, INT8)}
"""Types of the codes of quantized numbers, by name."""
