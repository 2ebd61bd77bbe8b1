"""Why torch does not run a module: whether its inputs' shapes are to blame."""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from tvmlcnn.errors import UserError
from tvmlcnn.frontend import random_inputs, reference


class Apply(nn.Module):
    """A module of one function."""

    def __init__(self, function: Callable[..., object]) -> None:
        super().__init__()
        self.function = function
        self.table = nn.Embedding(4, 2)

    def forward(self, *inputs: torch.Tensor) -> object:
        return self.function(self, *inputs)


def raises(error: Exception) -> Callable[..., object]:
    def function(net: Apply, *inputs: torch.Tensor) -> object:
        raise error

    return function


def has_four_channels(net: Apply, x: torch.Tensor) -> torch.Tensor:
    assert x.shape[1] == 4
    return x


SHAPE = "give another shape"


@pytest.mark.parametrize(
    ("function", "said"),
    [
        (lambda net, x: nn.Conv2d(4, 1, 1)(x), SHAPE),
        (lambda net, x: nn.Linear(4, 1)(x), SHAPE),
        (lambda net, x: x.reshape(1, 5), SHAPE),
        (lambda net, x: x + torch.zeros(5), SHAPE),
        (lambda net, x: x[:, 7], SHAPE),
        (lambda net, x: torch.cat((x, x[:, :, :2]), 1), SHAPE),
        (lambda net, x: F.pad(x, (7, 7), mode="reflect"), SHAPE),
        (lambda net, x: F.max_pool2d(x, 9), SHAPE),
        (lambda net, x: nn.BatchNorm2d(3).eval()(x[0]), SHAPE),
        (lambda net, x: [row for row, _ in x], SHAPE),
        (has_four_channels, SHAPE),
        (lambda net, x, y: x, "give the shape of each input"),
        (lambda net, x: net.table(x), "give its type too, as 1x16:int64"),
        (lambda net, x: importlib.import_module("no_such_module"), "ModuleNotFoundError: No mod"),
        (lambda net, x: net.head(x), "AttributeError: 'Apply' object has no attribute 'head'"),
        (lambda net, x: {"a": x}["b"], "KeyError: 'b'"),
        (lambda net, x: x.sum().backward(), "RuntimeError: element 0 of tensors does not"),
        (lambda net, x: [x][3], "IndexError: list index out of range"),
        (lambda net, x: nn.ModuleList()[3](x), "IndexError: index 3 is out of range"),
        (raises(RuntimeError("load the weights first")), "RuntimeError: load the weights first"),
        (raises(OSError("shape.bin is missing")), "OSError: shape.bin is missing"),
        (raises(MemoryError()), "give a smaller shape"),
        (lambda net, x: torch.empty(1 << 50), "give a smaller shape"),
    ],
)
def test_what_to_mend(function: Callable[..., object], said: str) -> None:
    with pytest.raises(UserError, match=re.escape(said)) as raised:
        reference(Apply(function), random_inputs([(1, 3, 6, 6)]))
    text = str(raised.value)
    assert "\n" not in text
    assert "1x3x6x6" in text
    assert (SHAPE in text) == (said == SHAPE)


@pytest.mark.parametrize(
    "function",
    [
        lambda net, x: nn.Conv2d(3, 1, 1)(x.half()),
        lambda net, x: x[0, 0] @ x[0, 0].half(),
        lambda net, x: nn.Linear(6, 1).bfloat16()(x),
    ],
)
def test_half_precision_is_the_model_s(function: Callable[..., object]) -> None:
    """Whatever its inputs are."""
    with pytest.raises(UserError, match="the model computes in half precision") as raised:
        reference(Apply(function), random_inputs([(1, 3, 6, 6)]))
    assert raised.value.parameters == ()


def test_where_it_was_raised() -> None:
    with pytest.raises(UserError, match=r"\(test_failed_runs\.py:\d+\): RuntimeError: first"):
        reference(Apply(raises(RuntimeError("first"))), random_inputs([(1, 3, 6, 6)]))


def test_a_reason_is_no_page() -> None:
    with pytest.raises(UserError) as raised:
        reference(Apply(raises(RuntimeError("word " * 400))), random_inputs([(1, 3, 6, 6)]))
    assert len(str(raised.value)) < 500


def test_inputs_that_no_memory_holds() -> None:
    with pytest.raises(UserError, match=r"1x3x100000x1000000, and what .* give a smaller shape"):
        random_inputs([(1, 3, 100000, 1000000)])
