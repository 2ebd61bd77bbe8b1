"""Element-wise operators as one function, which a kernel applies to what it reads or computes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from tvm import tirx
from tvm.ir import Expr

from tvmlcnn.elementwise import BY_RELAX


@dataclass(frozen=True)
class Earlier:
    """The result of a step, from 1 on; 0 is the value that the function is applied to."""

    step: int


@dataclass(frozen=True)
class Parameter:
    """A parameter that is given beside the value."""

    index: int


Operand = Earlier | Parameter | float


@dataclass(frozen=True)
class Step:
    """One operator, by its whole name in Relax, and what it takes; bounds of a clip as floats.

    ``attributes`` are those that the table of element-wise operators names.
    """

    operator: str
    operands: tuple[Operand, ...]
    attributes: tuple[float, ...] = ()


@dataclass(frozen=True)
class Formula:
    """Steps, each of which may take the value, earlier results, parameters and constants."""

    steps: tuple[Step, ...]

    def __call__(self, value: Expr, *parameters: Expr) -> Expr:
        """Return the last step's result for an element and the parameters beside it."""
        results = [value]
        for step in self.steps:
            operands = []
            for operand in step.operands:
                if isinstance(operand, Earlier):
                    operands.append(results[operand.step])
                elif isinstance(operand, Parameter):
                    operands.append(parameters[operand.index])
                elif step.operator == "relax.clip":
                    operands.append(operand)
                else:
                    operands.append(tirx.const(operand, value.ty.dtype))
            te = BY_RELAX[step.operator].te
            assert te is not None, f"{step.operator} is not written in TE"
            results.append(te(*operands, *step.attributes))
        return results[-1]


def chain(operators: Iterable[str]) -> Formula:
    """Return the formula of operators one after the other, by their names in Relax.

    Each that takes two tensors takes the next parameter beside the result before it.
    """
    steps, count = [], 0
    for number, name in enumerate(operators):
        operands: list[Operand] = [Earlier(number)]
        for _ in range(BY_RELAX[name].operands - 1):
            operands.append(Parameter(count))
            count += 1
        steps.append(Step(name, tuple(operands)))
    return Formula(tuple(steps))
