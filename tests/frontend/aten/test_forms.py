"""Forms of operators that few of torch's samples have: empty parts, bools, both ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from together import Case, computed, faults

F = torch.nn.functional

_DATA = torch.tensor([[2.0, 0, -1], [0, 0, 5]])
_BOOLS = torch.tensor([[True, False, True], [False, False, True]])
_PLACES = torch.tensor([[0, 0, 2], [1, 1, 1]])
_OTHERS = torch.tensor([[True, True, False], [True, True, True]])
_FUNCTIONS: dict[str, tuple[Callable[..., Any], tuple[torch.Tensor, ...]]] = {
    "any of bytes": (lambda x: (x.any(), x.any(1)), (_DATA.to(torch.uint8),)),
    "any of floats": (lambda x: (x.any(), x.any(1)), (_DATA,)),
    "bools padded": (lambda x: (F.pad(x, (1, 2), value=2), F.pad(x, (1, 0))), (_BOOLS,)),
    "bytes padded": (lambda x: F.pad(x, (1, 2), value=2.7), (_DATA.to(torch.uint8),)),
    "empty parts": (lambda x: x.split([0, 2, 0, 1, 0], 1), (_DATA,)),
    "nothing in parts": (lambda x: x[:0].split([0, 0], 0), (_DATA,)),
    "bools added": (
        lambda x, i, y: (x.scatter(1, i, y, reduce="add"), x.scatter_add(1, i, y)),
        (_BOOLS, _PLACES, _OTHERS),
    ),
    "bools multiplied": (
        lambda x, i, y: x.scatter(1, i, y, reduce="multiply"),
        (_BOOLS, _PLACES, _OTHERS),
    ),
    "bools put": (
        lambda x, i, y: x.index_put((i[0],), y[:1], accumulate=True),
        (_BOOLS, _PLACES % 2, _OTHERS),
    ),
    "gathered from a number": (lambda x, i: x[0, 0].gather(0, i[0] * 0), (_DATA, _PLACES)),
    "taken": (lambda x, i: (x.take(i - 2), x.take(i[1, 2])), (_DATA, _PLACES)),
    "places of what is not zero": (
        lambda x: [torch.nonzero_static(x, size=n, fill_value=-7) for n in (2, 3, 8)],
        (_DATA,),
    ),
    "quotients made whole": (
        lambda x: (
            (x / 49).floor(),
            (x / 49).int(),
            (1 + x / 49).ceil(),
            (x / 49).view(25, 8).long(),
        ),
        (torch.arange(200.0),),
    ),
    "norm of a number": (lambda x: (x[0, 0].norm(0), x[0, 1].norm(0), x[0, 2].norm(2)), (_DATA,)),
    **{
        f"linspace of {dtype}": (
            lambda a, b, dtype=dtype: (
                torch.linspace(a, b, 50, dtype=dtype),
                torch.linspace(a, 4.3, 50, dtype=dtype),
                torch.linspace(4.3, b, 1, dtype=dtype),
            ),
            (torch.tensor(50), torch.tensor(1)),
        )
        for dtype in (torch.int32, torch.int64, torch.uint8, torch.float32)
    },
}


@pytest.mark.parametrize("name", _FUNCTIONS)
def test_form(name: str) -> None:
    function, inputs = _FUNCTIONS[name]
    assert faults([Case(name, function, inputs)]) == {}


def test_places_beyond_the_axis_are_within_it() -> None:
    """Torch raises an error for them."""
    inside = torch.tensor([[0, 2, 2], [0, 2, 1]])
    beyond = torch.tensor([[-9, 2, 99], [-1, 3, 1]])
    case = Case("gather", lambda x, i: x.gather(1, i), (_DATA, beyond))
    wanted = Case("gather", lambda x, i: x.gather(1, i.clamp(0, 2)), (_DATA, inside))
    torch.testing.assert_close(torch.from_numpy(computed([case])[0]), wanted.expected()[0])


def test_nothing_is_said_of_indices(capfd: pytest.CaptureFixture[str]) -> None:
    """TVM warns of a mode of its own, in which it does not look at indices."""

    def pooled(x: torch.Tensor) -> Any:
        return F.max_pool2d(x, 2, return_indices=True)

    assert faults([Case("max_pool2d", pooled, (torch.randn(1, 2, 4, 4),))]) == {}
    assert "mode" not in capfd.readouterr().err
