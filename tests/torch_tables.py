"""What torch looks up and registers anew for each network that it takes apart, kept between them.

Taking a network of a few layers apart takes torch 0.2 s, of which two thirds go to listing its
composite operators, and to overriding 500 of them for the time being. A program takes few networks
apart; the tests take thousands. All is done anew where an operator, or a kernel of one, has come or
gone, or where other operators are to stay whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch._subclasses import fake_impls
from torch.export import exported_program

_COMPOSITE = "CompositeImplicitAutograd"
_list = exported_program._collect_all_valid_cia_ops
_override = exported_program._override_composite_implicit_decomp

Operator = torch._ops.OpOverload
Parts = dict[Operator, Callable[..., Any]]


@dataclass(frozen=True)
class _State:
    """The kernels of operators, and the rules for what has a shape and no elements."""

    kernels: dict[Operator, dict[Any, Any]]
    rules: Parts


_listed: tuple[Any, frozenset[Operator]] = (None, frozenset())
_overridden: tuple[Parts, _State, _State] | None = None


def keep() -> None:
    """Have torch keep them, in this process."""
    exported_program._collect_all_valid_cia_ops = _kept_list  # type: ignore[assignment]
    exported_program._override_composite_implicit_decomp = _kept_override  # type: ignore[assignment]


def _kept_list() -> set[Operator]:
    global _listed
    if _listed[0] != _known():
        operators = frozenset(_list())
        _listed = _known(), operators  # after torch looked them up, which it does once
    return set(_listed[1])


def _known() -> Any:
    spaces = {name: getattr(torch.ops, name) for name in torch.ops._dir}
    return (
        torch._C._dispatch_get_all_op_names(),
        torch._C._dispatch_get_registrations_for_dispatch_key(_COMPOSITE),
        {name: len(getattr(space, "_dir", ())) for name, space in spaces.items()},
    )


@contextmanager
def _kept_override(parts: Parts) -> Iterator[None]:
    """Override operators as torch did before, where it would begin from the same."""
    global _overridden
    before = _state(parts)
    if _overridden is None or _overridden[:2] != (parts, before):
        with _override(parts):
            _overridden = dict(parts), before, _state(parts)
            yield
        return
    _set(_overridden[2])
    try:
        yield
    finally:
        _set(_State(before.kernels, {}))  # torch leaves no rule either


def _state(operators: Parts) -> _State:
    rules = fake_impls.op_implementations_dict
    return _State(
        {operator: operator.py_kernels.copy() for operator in operators},
        {operator: rules[operator] for operator in operators if operator in rules},
    )


def _set(state: _State) -> None:
    rules = fake_impls.op_implementations_dict
    for operator, kernels in state.kernels.items():
        operator.py_kernels.clear()
        operator.py_kernels.update(kernels)
        operator._dispatch_cache.clear()
        rules.pop(operator, None)
    rules.update(state.rules)
