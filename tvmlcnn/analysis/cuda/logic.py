"""What instructions compute that compare, choose, and combine bits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from .machine import Lanes
from .steps import MASK, Step, all_known, signed


def _logic(lanes: Lanes, step: Step) -> None:
    """LOP3: any function of three bits, by its table."""
    *sources, table = step.values[:4]
    values = all_known([lanes.read(source) for source in sources])
    result = None if values is None else _by_table(values, int(table.value)) & MASK
    if (target := step.uses.written_register) is not None:
        lanes.write(target, result)
    for name in step.uses.written_predicates[:1]:
        lanes.write_predicate(name, None if result is None else result != 0)


def _by_table(values: Sequence[np.ndarray], table: int) -> np.ndarray:
    a, b, c = values
    result = np.zeros(1, a.dtype)
    for row in range(8):
        if table >> row & 1:
            result = result | (
                (a if row & 4 else ~a) & (b if row & 2 else ~b) & (c if row & 1 else ~c)
            )
    return result


def _predicate_logic(lanes: Lanes, step: Step) -> None:
    values = all_known([lanes.predicate(source) for source in step.predicates[:3]])
    for name, table in zip(step.uses.writes, step.values, strict=False):
        result = None if values is None else _by_table(values, int(table.value))
        lanes.write_predicate(name, result)


_COMPARE: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "EQ": np.equal,
    "NE": np.not_equal,
    "LT": np.less,
    "LE": np.less_equal,
    "GT": np.greater,
    "GE": np.greater_equal,
}
_STRICT = {"LE": "LT", "GE": "GT"}
_JOIN: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "AND": np.logical_and,
    "OR": np.logical_or,
    "XOR": np.logical_xor,
}


def _compare(lanes: Lanes, step: Step) -> None:
    values = all_known([lanes.read(source) for source in step.values])
    joined = all_known([lanes.predicate(source) for source in step.predicates])
    results: list[np.ndarray | None] = [None, None]
    if values is not None and joined is not None:
        how = next(name for name in step.instruction.modifiers if name in _COMPARE)
        join = _JOIN[next(name for name in step.instruction.modifiers if name in _JOIN)]
        if not step.has("U32"):
            values = [signed(value) for value in values]
        a, b = values
        told = _COMPARE[_STRICT.get(how, how) if step.has("EX") else how](a, b)
        if step.has("EX"):  # the lower halves were compared before
            told = (a == b) & joined[1] if how == "EQ" else told | ((a == b) & joined[1])
        results = [join(told, joined[0]), join(~told, joined[0])]
    for name, result in zip(step.uses.writes, results, strict=False):
        lanes.write_predicate(name, result)


def _select(lanes: Lanes, step: Step) -> None:
    values = all_known([*(lanes.read(source) for source in step.values)])
    chosen = lanes.predicate(step.predicates[-1])
    result = None if values is None or chosen is None else np.where(chosen, *values)
    lanes.write(step.uses.writes[0], result)


def _extreme(lanes: Lanes, step: Step) -> None:
    values = all_known([lanes.read(source) for source in step.values])
    least = lanes.predicate(step.predicates[-1])
    result = None
    if values is not None and least is not None:
        if not step.has("U32"):
            values = [signed(value) for value in values]
        a, b = values
        result = np.where(least, np.minimum(a, b), np.maximum(a, b)).astype(np.uint64)
    lanes.write(step.uses.writes[0], result)


LOGIC: dict[str, Callable[[Lanes, Step], None]] = {
    **dict.fromkeys(("LOP3", "ULOP3"), _logic),
    **dict.fromkeys(("PLOP3", "UPLOP3"), _predicate_logic),
    **dict.fromkeys(("ISETP", "UISETP"), _compare),
    **dict.fromkeys(("SEL", "USEL"), _select),
    **dict.fromkeys(("IMNMX", "VIMNMX", "UIMNMX"), _extreme),
}
"""A function an opcode."""
