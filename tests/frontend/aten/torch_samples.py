"""The sample inputs that torch tests its own operators with, as cases."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from not_compiled import FLOATS_ONLY, NOT_COMPILED
from together import Case
from torch.utils import _pytree as pytree

if TYPE_CHECKING:
    from torch.testing._internal.opinfo.core import OpInfo, SampleInput

SAMPLED = "torch's samples"
"""The property of a test that says how many operators and samples it ran."""

_TYPES = {torch.float32, torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.bool}
_LARGEST = 1 << 16  # elements; what is larger tells no more


def operators() -> dict[str, OpInfo]:
    """Return torch's operators that are compiled, by name, variants behind a dot."""
    from torch.testing._internal.common_methods_invocations import op_db  # takes seconds

    left_out = {name for names in NOT_COMPILED.values() for name in names}
    found: dict[str, OpInfo] = {}
    for info in op_db:
        name = ".".join(filter(None, (info.name, info.variant_test_name)))
        if name not in left_out and "jiterator" not in name:
            found[name] = info
    return found


def cases(name: str, info: OpInfo, dtype: torch.dtype, most: int) -> list[Case]:
    """Return at most so many of an operator's samples of a type, evenly chosen among them."""
    floats_only = any(name in names for names in FLOATS_ONLY.values())
    if dtype not in info.dtypes or (floats_only and not dtype.is_floating_point):
        return []
    torch.manual_seed(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = [
            (number, sample)
            for number, sample in enumerate(info.sample_inputs("cpu", dtype, requires_grad=False))
            if _fits(sample)
        ]
    step = max(1, len(found) / most)
    chosen = [found[int(number * step)] for number in range(min(most, len(found)))]
    short = str(dtype).removeprefix("torch.")
    made = [_case(f"{name}/{short}/{number}", info, sample) for number, sample in chosen]
    return [case for case in made if _is_compiled(case)]


def _is_compiled(case: Case) -> bool:
    """Tell whether a case returns tensors, all of types that are compiled."""
    try:
        results = case.expected()
    except RuntimeError:  # it reads beyond the tensor, into the storage that the sample has it in
        return False
    kinds = {result.dtype for result in results}
    layouts = {result.layout for result in results}
    return bool(results) and kinds <= _TYPES and layouts == {torch.strided}


def _fits(sample: SampleInput) -> bool:
    tensors = list(_tensors(sample))
    return (
        bool(tensors)
        and all(t.layout == torch.strided and not t.is_complex() for t in tensors)
        and sum(t.numel() for t in tensors) <= _LARGEST
    )


def _tensors(sample: SampleInput) -> Iterator[torch.Tensor]:
    leaves = pytree.tree_leaves((sample.input, sample.args, sample.kwargs))
    return (leaf for leaf in leaves if isinstance(leaf, torch.Tensor))


def _case(name: str, info: OpInfo, sample: SampleInput) -> Case:
    leaves, tree = pytree.tree_flatten((sample.input, sample.args, sample.kwargs))
    places = [place for place, leaf in enumerate(leaves) if isinstance(leaf, torch.Tensor)]
    tensors = tuple(leaves[place].detach().contiguous() for place in places)

    def call(*given: torch.Tensor) -> Any:
        filled = list(leaves)
        for place, tensor in zip(places, given, strict=True):
            filled[place] = tensor
        data, args, keywords = pytree.tree_unflatten(filled, tree)
        return info.op(data, *args, **keywords)

    return Case(name, call, tensors)
