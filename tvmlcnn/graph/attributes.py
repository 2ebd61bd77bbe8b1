"""Attributes of Relax's operators: reading lists of them, and changing some."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import tvm


def ints(values: Iterable[object]) -> list[int]:
    """Return a list of sizes as numbers of Python's."""
    return [int(value) for value in values]  # type: ignore[call-overload]


def changed(attrs: tvm.ir.Attrs, **changes: Any) -> tvm.ir.Attrs:
    """Return the attributes of an operator with some of them replaced."""
    kind = type(attrs).__tvm_ffi_type_info__
    fields = {field.name: getattr(attrs, field.name) for field in kind.fields}
    return tvm.ir.make_node(kind.type_key, **{**fields, **changes})
