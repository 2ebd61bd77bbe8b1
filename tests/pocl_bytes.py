"""OpenCL C with vectors of bytes that are read one by one.

TVM's code generator puts the bytes of such a vector into an integer, as CUDA C++ has them; OpenCL
has vectors of bytes.
"""

from __future__ import annotations

import re

_PARTS = (
    rf"\(\(0x000000ff << {shift}\) & \((?P<b{shift}>(?P<array{shift}>\w+)\[.*?\]) << {shift}\)\)"
    for shift in (0, 8, 16, 24)
)
_GATHERED = re.compile(r"\|".join(_PARTS))


def with_gathered_bytes(source: str) -> str:
    """Return a program whose vectors of bytes are ones."""

    def vector(found: re.Match[str]) -> str:
        array = found["array0"]
        kind = "uchar" if re.search(rf"\buchar\*? (?:restrict )?{array}\b", source) else "char"
        parts = ", ".join(found[f"b{shift}"] for shift in (0, 8, 16, 24))
        return f"(({kind}4)({parts}))"

    return _GATHERED.sub(vector, source)
