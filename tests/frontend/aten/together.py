"""Many small functions compiled as one network, and compared with torch one by one.

A network of its own for each would spend its time in exporting, code generation and loading. The
way is the compiler's own: export, import, all phases, and machine code; only LLVM optimizes less.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from executed import results_of
from torch.utils import _pytree as pytree

from tvmlcnn import frontend, pipeline
from tvmlcnn.errors import UserError
from tvmlcnn.targets import DEVICES, Device

_RELATIVE, _ABSOLUTE = 1e-5, 1e-6
_ONE_SIZE = 48  # cases in a network


@dataclass(frozen=True)
class Case:
    """A function of tensors, and some of those; ``name`` tells it from the others."""

    name: str
    function: Callable[..., Any] = field(repr=False)
    inputs: tuple[torch.Tensor, ...] = field(repr=False)
    tolerance: float = _RELATIVE

    def expected(self) -> list[torch.Tensor]:
        """Return what torch computes, flat; the inputs stay as they are."""
        with torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            results = pytree.tree_leaves(self.function(*(x.clone() for x in self.inputs)))
        return [result for result in results if isinstance(result, torch.Tensor)]


class Together(torch.nn.Module):
    """Cases side by side."""

    def __init__(self, cases: Sequence[Case]) -> None:
        super().__init__()
        self.cases = cases

    def forward(self, *tensors: torch.Tensor) -> list[torch.Tensor]:
        results, place = [], 0
        for case in self.cases:
            given = tensors[place : place + len(case.inputs)]
            place += len(given)
            leaves = pytree.tree_leaves(case.function(*given))
            results += [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        return results


def faults(cases: Sequence[Case]) -> dict[str, str]:
    """Return what is wrong with each case, by its name; those that are right are not in it.

    A refusal begins with ``refused:``.
    """
    found: dict[str, str] = {}
    for start in range(0, len(cases), _ONE_SIZE):
        group = cases[start : start + _ONE_SIZE]
        # What is refused is found out before the others' kernels are made, not again and again.
        refused = _one_by_one(group, _without_fault)
        rest = [case for case in group if case.name not in refused]
        found |= refused | _one_by_one(rest, _differences)
    return found


def _one_by_one(
    cases: Sequence[Case], work: Callable[[Sequence[Case]], dict[str, str]]
) -> dict[str, str]:
    """Do some work for all cases together, or where that raises for those for which it can be."""
    if not cases:
        return {}
    try:
        return work(cases)
    except Exception as error:  # whatever exporting, importing or compiling raises
        if len(cases) > 1:
            half = len(cases) // 2
            return _one_by_one(cases[:half], work) | _one_by_one(cases[half:], work)
        if isinstance(error, UserError):
            return {cases[0].name: f"refused: {error}"}
        said = [line for line in str(error).splitlines() if line.strip()] or [""]
        return {cases[0].name: f"{type(error).__name__}: {said[0]} ... {said[-1]}"[:600]}


def _without_fault(cases: Sequence[Case]) -> dict[str, str]:
    """Import the cases, which raises where one is refused."""
    _imported(cases)
    return {}


def _differences(cases: Sequence[Case]) -> dict[str, str]:
    results, found = computed(cases), {}
    for case in cases:
        expected = case.expected()
        made, results = results[: len(expected)], results[len(expected) :]
        wrong = [
            f"result {number}: {difference}"
            for number, (ours, theirs) in enumerate(zip(made, expected, strict=True))
            if (difference := _difference(ours, theirs, case.tolerance))
        ]
        if wrong:
            found[case.name] = "; ".join(wrong)
    return found


def computed(cases: Sequence[Case]) -> list[np.ndarray]:
    """Return what our code computes for all cases."""
    graph, inputs = _imported(cases)
    device = DEVICES["x86"]
    mod = pipeline.run(graph.mod, device)
    return results_of(mod, inputs, _quick(device))


def _imported(cases: Sequence[Case]) -> tuple[frontend.Graph, list[np.ndarray]]:
    inputs = [_array(tensor) for case in cases for tensor in case.inputs]
    return frontend.import_graph(Together(cases).eval(), inputs), inputs


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().resolve_conj().resolve_neg().contiguous().numpy()


def _quick(device: Device) -> Device:
    """Return the device, for a code generator that takes less time over it."""
    return replace(device, tvm={**device.tvm, "opt-level": 0})


def _difference(ours: np.ndarray, theirs: torch.Tensor, tolerance: float) -> str:
    """Say in which way two results differ; nothing where they are the same."""
    wanted = _array(theirs)
    if (ours.shape, ours.dtype) != (wanted.shape, wanted.dtype):
        return f"{ours.dtype}{ours.shape}, torch has {wanted.dtype}{wanted.shape}"
    if wanted.dtype.kind == "f":
        # Rounding is relative to what a sum is made of, which an output near zero does not tell.
        finite = np.abs(wanted[np.isfinite(wanted)])
        scale = float(finite.max()) if finite.size else 0.0
        bound = tolerance * np.abs(wanted) + _ABSOLUTE * max(scale, 1.0)
        with np.errstate(invalid="ignore"):
            near = np.abs(ours.astype(np.float64) - wanted) <= bound
        same = near | (ours == wanted) | (np.isnan(ours) & np.isnan(wanted))
    else:
        same = ours == wanted
    if same.all():
        return ""
    where = tuple(int(n) for n in np.argwhere(~same)[0])
    count = int((~same).sum())
    return f"{count} of {same.size} differ, at {where} {ours[where]!r} for {wanted[where]!r}"
