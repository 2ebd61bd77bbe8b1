"""What the property tests of this folder share: many drawn cases a network, right or refused."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from together import Case, faults

# The cases of an example are compiled together: one example of many, which are not made smaller,
# since each that is wrong is named.
many = settings(
    max_examples=1,
    deadline=None,
    derandomize=True,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


def lists_of(cases: st.SearchStrategy[Case], size: int = 32) -> st.SearchStrategy[list[Case]]:
    """Return a strategy of lists of so many cases, no two of the same name."""
    return st.lists(cases, min_size=size, max_size=size, unique_by=lambda case: case.name)


def check(cases: Sequence[Case]) -> None:
    """Assert that all cases are as torch has them."""
    wrong = faults(cases)
    assert not wrong, "\n".join(f"{name}: {fault}" for name, fault in wrong.items())


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    """Return normally distributed numbers."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))
