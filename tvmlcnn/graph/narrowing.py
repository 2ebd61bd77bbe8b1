"""Building a function anew whose tensors are of sixteen bits where layers multiply them.

See `tvmlcnn.passes.narrow_layers`.
"""

from __future__ import annotations

import numpy as np
from tvm import relax

from tvmlcnn.targets import FLOAT32, ElementType

from .constants import constant, value_of
from .variables import bound, with_operands


class Narrowing:
    """The function that is being built.

    A variable of the old function is held as it was, or rounded, or as both.

    Attributes
    ----------
    builder : relax.BlockBuilder
    element : ElementType
        Of sixteen bits.
    """

    def __init__(self, element: ElementType) -> None:
        self.builder = relax.BlockBuilder()
        self.element = element
        self._wide: dict[relax.Expr, relax.Expr] = {}
        self._narrow: dict[relax.Expr, relax.Expr] = {}

    def hold(self, var: relax.Var, value: relax.Var) -> None:
        """Have a new variable be one of the old function, as it was or, by its type, rounded."""
        rounded = element_of(value) == self.element.name
        (self._narrow if rounded else self._wide)[var] = value

    def round(self, var: relax.Var, keep: bool) -> None:
        """Hold a variable rounded, and only as ``keep`` says as it was too."""
        self.narrow(var)
        if not keep:
            self._wide.pop(var, None)

    def wide(self, expr: relax.Expr) -> relax.Expr:
        """Return an expression of the old function as it was.

        What is held rounded is widened for each reader anew, and so becomes a part of its kernel.
        """
        if isinstance(expr, relax.Var):
            if expr in self._wide:
                return self._wide[expr]
            rounded = self._narrow[expr]
            if isinstance(rounded.ty, relax.TupleType):
                items = [relax.TupleGetItem(rounded, i) for i in range(len(rounded.ty.fields))]
                return relax.Tuple([self._widened(self.emit(item, expr), expr) for item in items])
            return self._widened(rounded, expr)
        return with_operands(expr, self.wide)

    def narrow(self, expr: relax.Expr) -> relax.Expr:
        """Return a variable, or a constant tensor, of the old function, rounded."""
        array = value_of(expr)
        if array is not None:
            return constant(array.astype(self.element.name))
        if expr not in self._narrow:
            self._narrow[expr] = self._rounded(self._wide[expr], expr)
        return self._narrow[expr]

    def narrowed(self, expr: relax.Expr) -> relax.Expr:
        """Return an expression of the old function with all its tensors of float32 rounded."""
        if isinstance(expr, relax.TupleGetItem):
            return with_operands(expr, self.narrow)
        if isinstance(expr, relax.Call | relax.Tuple):
            return with_operands(expr, self.narrowed)
        return self.narrow(expr) if element_of(expr) == FLOAT32.name else expr

    def emit(self, expr: relax.Expr, var: relax.Expr) -> relax.Var:
        """Emit an expression to a variable of the name of an old one."""
        return bound(self.builder, expr, var)

    def _widened(self, value: relax.Expr, var: relax.Expr) -> relax.Expr:
        if element_of(value) != self.element.name:
            return value
        return self.emit(relax.op.astype(value, FLOAT32.name), var)

    def _rounded(self, value: relax.Expr, var: relax.Expr) -> relax.Expr:
        if isinstance(value.ty, relax.TupleType):
            items = [relax.TupleGetItem(value, i) for i in range(len(value.ty.fields))]
            fields = [self._rounded(self.emit(item, var), var) for item in items]
            return self.emit(relax.Tuple(fields), var)
        return self.emit(relax.op.astype(value, self.element.name), var)


def element_of(expr: relax.Expr) -> str | None:
    """Return the type of a tensor's elements, or of those of a tuple of tensors of one type."""
    kinds = list(expr.ty.fields) if isinstance(expr.ty, relax.TupleType) else [expr.ty]
    if not kinds or not all(isinstance(kind, relax.TensorType) for kind in kinds):
        return None
    found = {str(kind.dtype) for kind in kinds}
    return found.pop() if len(found) == 1 else None


def fits(array: np.ndarray, element: ElementType) -> bool:
    """Tell whether a type has numbers: all its digits of those that are not negligible."""
    with np.errstate(over="ignore"):
        rounded = array.astype(element.name).astype(np.float32)
    largest = np.abs(array[np.isfinite(array)]).max(initial=0.0)
    off = np.abs(rounded - array)[np.isfinite(array)]
    # The rounding of the longest of these types, of the largest number.
    return bool(np.all(off <= np.maximum(np.abs(array[np.isfinite(array)]), largest / 8) / 256))
