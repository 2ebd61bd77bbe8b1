"""What the table of element-wise operators says is what the graph and the analyser make of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from conftest import Cli
from networks import compiled
from torch import nn

from tvmlcnn import passes
from tvmlcnn.analysis.kinds import kind_of, operator_name
from tvmlcnn.elementwise import BY_ATEN, BY_RELAX, OPERATORS
from tvmlcnn.schedules import kernels_by_rule
from tvmlcnn.targets import DEVICES

NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.b = torch.nn.Conv2d(16, 16, 1), torch.nn.Conv2d(16, 8, 1)
    def forward(self, x):
        return self.b(torch.{function}(self.a(x)))
"""


def between(function: str) -> nn.Module:
    """Return two convolutions with an operator between them."""
    space: dict[str, type[nn.Module]] = {}
    exec(NET.format(function=function), space)
    return space["Net"]()


def overloads(name: str) -> list[torch._ops.OpOverload]:
    packet = getattr(torch.ops.aten, name)
    return [getattr(packet, overload) for overload in packet.overloads()]


POINTWISE = [
    target for name in BY_ATEN for target in overloads(name) if torch.Tag.pointwise in target.tags
]


def test_the_table_has_each_operator_once() -> None:
    assert len(BY_RELAX) == sum(bool(operator.relax) for operator in OPERATORS)
    assert {operator.aten for operator in OPERATORS if operator.aten} == set(BY_ATEN)
    for name in BY_RELAX:
        assert name.startswith(("relax.", "tvmlcnn."))


@pytest.mark.parametrize("name", BY_ATEN)
def test_what_it_calls_an_operator_is_torch_s_name(name: str) -> None:
    assert overloads(name)


def test_what_torch_says_is_pointwise_counts_as_element_wise() -> None:
    assert len({operator_name(target) for target in POINTWISE}) > len(BY_ATEN) // 2
    assert {kind_of(target, 0, None, False) for target in POINTWISE} == {"elementwise"}


@pytest.mark.parametrize("function", ["relu", "sigmoid", "exp", "celu"])
def test_operators_of_the_table_are_not_turned_back(function: str) -> None:
    mod = compiled(between(function), (1, 16, 8, 8), DEVICES["x86"])
    assert passes.turned_back(mod) == []
    assert len(kernels_by_rule(mod)["dense"]) == 2


def test_an_operator_that_is_missing_from_it_is_told(cli: Cli, tmp_path: Path) -> None:
    assert "relax.floor" not in BY_RELAX
    mod = compiled(between("floor"), (1, 16, 8, 8), DEVICES["x86"])
    assert passes.turned_back(mod) == ["relax.floor"]
    (tmp_path / "net.py").write_text(NET.format(function="floor"))
    arguments = ["net.py:Net", "--input-shape", "1x16x8x8", "-o", "net.so"]
    shown = cli("compile", *arguments, "-v")
    assert shown.code == 0, shown.err
    assert ["transposed", "for", "relax.floor"] in [line.split() for line in shown.out.splitlines()]
    assert cli("compile", *arguments, "--json").json["turned_back"] == ["relax.floor"]
