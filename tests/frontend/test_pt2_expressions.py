"""What an exported program may say of sizes, guards, operators and structures: no other text."""

from __future__ import annotations

import json

import pytest
from pt2_structures import structure

from tvmlcnn.frontend.pt2.expressions import is_guard, is_size
from tvmlcnn.frontend.pt2.operators import is_of_torch
from tvmlcnn.frontend.pt2.structures import is_structure, is_structure_of_inputs


@pytest.mark.parametrize(
    "text",
    [
        "s77",
        "s0 + 1",
        "2*s0**2 - s1//3",
        "Symbol('s77', integer=True, positive=True)",
        "Add(Mul(Integer(2), Symbol('s0', integer=True)), Integer(-1))",
        "Pow(Symbol('s0'), Integer(2))",
        "FloorDiv(Symbol('u0', integer=True), Integer(2))",
        "Float('1.0', precision=53)",
        "Equality(Mod(Symbol('s0'), Integer(4)), Integer(0))",
    ],
)
def test_sizes(text: str) -> None:
    assert is_size(text)


@pytest.mark.parametrize(
    "text",
    [
        "__import__('os')",
        "().__class__",
        "open",
        "Symbol",
        "Max('exit()', 1)",
        "Symbol('a b')",
        "Symbol('x')('y')",
        "Float('1', precision=10**9)",
        "Float('1', precision=99999999)",
        "[s0 for s0 in ()]",
        "lambda: 1",
        "(s0 := 3)",
        "9**9**9",
        "Pow(Pow(s0, 8), 8)",
        "Pow(2, Integer(99999))",
        "1 << 99",
        f"{'9' * 400}",
        "s0 +\n1",
        "(" * 500 + ")" * 500,
        "-" * 3000 + "1",
        "s0 + " * 5000 + "1",
        "",
    ],
)
def test_what_is_no_size(text: str) -> None:
    assert not is_size(text)
    assert not is_guard(text)


@pytest.mark.parametrize(
    "text",
    [
        "L['x'].size()[0] == 3",
        "L['flat_args'][0].size()[1] % 4 != 0 and L['y'].stride()[0] <= 9",
        "not math.isnan(L['x'].storage_offset())",
        "2 <= max(L['x'].size()[0], 3)",
    ],
)
def test_guards(text: str) -> None:
    assert is_guard(text)
    assert not is_size(text)


@pytest.mark.parametrize(
    "text", ["L['x'].share_memory()", "L['x'].size()[0].real", "L", "L['\"']", "max(L)", "x == 'a'"]
)
def test_what_is_no_guard(text: str) -> None:
    assert not is_guard(text)


def test_operators_and_structures() -> None:
    for name in ("aten.conv2d.default", "aten.__and__.Tensor", "higher_order.cond"):
        assert is_of_torch(f"torch.ops.{name}")
    for name in ("aten.conv2d", "aten.no_such.default", "aten.conv2d.default.name", "profiler.x.y"):
        assert not is_of_torch(f"torch.ops.{name}")
    assert is_structure(structure("builtins.dict", json.dumps(["a key", 3])))
    assert not is_structure_of_inputs(structure("builtins.dict", json.dumps(["a key"])))
    assert is_structure_of_inputs(structure("builtins.tuple", "null"))
    assert not is_structure(structure("torch.device", "null"))
    assert not is_structure("[1]")
