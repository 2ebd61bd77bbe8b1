"""What a user says of inputs: shapes, element types, and sizes that are left open."""

from __future__ import annotations

from typing import Any

import pytest

from tvmlcnn.errors import UserError
from tvmlcnn.input_form import InputForm, forms, read, variants


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("1x3x224x224", InputForm((1, 3, 224, 224))),
        ("1,16", InputForm((1, 16))),
        ("1x16:int64", InputForm((1, 16), "int64")),
        ("1..8x3x32x32", InputForm((range(1, 9), 3, 32, 32))),
        ("1x3x160..224/32x64", InputForm((1, 3, range(160, 225, 32), 64))),
    ],
)
def test_texts(text: str, form: InputForm) -> None:
    assert read(text) == form
    assert forms(text) == forms([text]) == (form,)


def test_sequences() -> None:
    assert forms(None) is None
    assert forms((1, 3, 8, 8)) == (InputForm((1, 3, 8, 8)),)
    assert forms([(2, 3), "1x4:bool"]) == (InputForm((2, 3)), InputForm((1, 4), "bool"))
    assert forms((range(1, 3), 5)) == (InputForm((range(1, 3), 5)),)


@pytest.mark.parametrize(
    "given",
    ["", "1xx3", "1x-3", "0x3", "1x16:complex64", "3..1x8", "1..8/0x3"]
    + [[], [[]], (0, 3), (1, -3)],
)
def test_what_is_no_shape(given: Any) -> None:
    with pytest.raises(UserError) as raised:
        forms(given)
    assert "\n" not in str(raised.value)


def test_each_size_is_a_variant_the_smallest_first() -> None:
    found = forms("1..3x3x8x8")
    assert found is not None
    assert variants(found) == [((n, 3, 8, 8),) for n in (1, 2, 3)]


def test_sizes_at_the_same_axis_of_several_inputs_are_one_choice() -> None:
    found = forms(["1..2x3x4..5x4", "1..2x7"])
    assert found is not None
    assert variants(found) == [
        ((1, 3, 4, 4), (1, 7)),
        ((1, 3, 5, 4), (1, 7)),
        ((2, 3, 4, 4), (2, 7)),
        ((2, 3, 5, 4), (2, 7)),
    ]


def test_too_many_variants() -> None:
    found = forms("1x3x32..64x32..64")
    assert found is not None
    with pytest.raises(UserError, match="1089 choices of sizes; at most 32"):
        variants(found)


@pytest.mark.parametrize("given", [5, (1, 3.0, 8, 8), [(1, 3), 2.5], [None]])
def test_what_is_no_sizes(given: object) -> None:
    with pytest.raises(UserError, match=r"is no input shape"):
        forms(given)
