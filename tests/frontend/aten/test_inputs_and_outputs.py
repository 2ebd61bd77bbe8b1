"""What people return and change: views, inputs, constants, the same twice; recurrent layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from drawn import check, normal
from together import Case, faults
from torch import nn
from torch.nn import functional as F

MAP = normal(2, 8, 6, 5)
CONSTANT = normal(3, seed=1)


def _in_place(x: torch.Tensor) -> torch.Tensor:
    x[:, 0] = 1
    x.mul_(2)
    return x + 1


def _masked(x: torch.Tensor) -> torch.Tensor:
    result = x.clone()
    result[result < 0] = 0.5
    return result


def _written(x: torch.Tensor) -> torch.Tensor:
    result = torch.zeros(2, 8, 6, 7)
    result[..., 1:6] = x
    result[:, ::2, 3] = 4
    return result


_FUNCTIONS: dict[str, Callable[[torch.Tensor], Any]] = {
    "a view": lambda x: x[:, 1:3].transpose(0, 1),
    "the input": lambda x: x,
    "a constant": lambda x: (x + 1, CONSTANT),
    "the same twice": lambda x: [y := x * 2, y, y.flatten(1)],
    "in place": _in_place,
    "masked": _masked,
    "written into": _written,
    "an empty slice": lambda x: (x[:, 3:3], torch.cat([x[:, :0], x], 1)),
    "a number": lambda x: (x.sum(), x.mean() > 0, x.max()),
    "quotient of a place": lambda x: x.argmax(1) // 3,
    "one hot": lambda x: F.one_hot(x.argmax(1), 8),
    "extremes": lambda x: (x.amax((1, 2)), x.amin(-1, True), *x.min(1), *x.max(3, True)),
    "products": lambda x: (x.prod(1), x[0, 0, 0].prod()),
    "unfold and fold": lambda x: F.fold(F.unfold(x, 3, padding=1), (6, 5), 3, padding=1),
    "scatter": lambda x: torch.zeros_like(x).scatter(1, x.argmax(1, keepdim=True), 1.0),
    "einsum": lambda x: torch.einsum("bchw,bdhw->bcd", x, x),
    "GroupNorm without weights": nn.GroupNorm(4, 8, affine=False),
    "SELU": nn.SELU(),
    "GLU": nn.GLU(1),
    "to a single pixel": lambda x: F.interpolate(x, (1, 1), mode="bicubic"),
    "shuffles": lambda x: (F.pixel_shuffle(x, 2), F.channel_shuffle(x, 4)),
    "halves to even": lambda x: torch.round(torch.round(x * 2) / 2),
    "triangles": lambda x: (x.tril(), x.triu(1), x.rot90(1, (2, 3)), x.roll((1, -2), (2, 3))),
    "statistics": lambda x: (*torch.std_mean(x, (2, 3)), x.var(1, correction=0)),
    "special numbers": lambda x: torch.nan_to_num(torch.log(x)),
    "counts": lambda x: (torch.count_nonzero(x > 0, 1), (x > 5).all(), torch.isfinite(x).any(2)),
}


def test_functions() -> None:
    check([Case(name, function, (MAP,)) for name, function in _FUNCTIONS.items()])


def test_integers() -> None:
    """They overflow as torch's do, and divide toward where it is asked."""
    a = torch.tensor([200, 3, 255, 0], dtype=torch.uint8)
    b = torch.tensor([100, 7, 1, 9], dtype=torch.uint8)
    c, d = torch.tensor([-7, 7, -7, 2**40]), torch.tensor([2, -2, -2, 3])
    check(
        [
            Case("uint8", lambda x, y: (x + y, x * y, y - x, x // y, -x, ~x), (a, b)),
            Case("int64", lambda x, y: (x // y, x % y, torch.fmod(x, y), x * y), (c, d)),
            Case("trunc", lambda x, y: torch.div(x, y, rounding_mode="trunc"), (c, d)),
            Case("true", lambda x, y: (x / y, x.float().int(), x**2), (c, d)),
            Case("bool", lambda x, y: ((x > 3) + (y > 3), (x > 3) * 2, (x > 3).sum()), (c, d)),
        ]
    )


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_recurrent_layers(kind: type[nn.RNNBase]) -> None:
    cases = []
    for directions in (1, 2):
        for batch_first in (False, True):
            torch.manual_seed(0)
            layer = kind(5, 4, num_layers=2, batch_first=batch_first, bidirectional=directions == 2)
            name = f"{directions} {batch_first}"
            cases.append(Case(name, layer.requires_grad_(False).eval(), (normal(3, 2, 5),)))
    check(cases)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x[x > 0], "a boolean mask that depends on the input"),
        (lambda x: torch.linalg.svd(x)[1], "decompositions of matrices cannot be compiled"),
        (lambda x: torch.rand_like(x) + x, "random"),
        (lambda x: torch.fft.rfft(x).abs(), "complex"),
        (lambda x: F.avg_pool2d(x.long(), 2), "convert them to float"),
    ],
)
def test_refusals(function: Callable[[torch.Tensor], Any], message: str) -> None:
    """One line, with the operator, and the line of the source where there is an operator."""
    (fault,) = faults([Case("it", function, (MAP,))]).values()
    assert fault.startswith("refused: ")
    assert message in fault
    assert "\n" not in fault
