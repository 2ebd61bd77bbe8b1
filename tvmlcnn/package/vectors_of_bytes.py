"""The CUDA C++ of vectors of bytes, as far as TVM does not write it.

TVM has four bytes in an ``int``, eight in an ``int2`` and sixteen in an ``int4``, but makes the
longer ones of as many numbers as there are bytes; and takes an element for a ``char``, whose sign
is the host's affair (CUDA C++ programming guide: on ARM it has none).
"""

from __future__ import annotations

import re

_MADE = re.compile(r"\bmake_(u?)int([24])\(\((?:uchar|signed char)\)")
_ELEMENT = re.compile(r"\(\(char\)\(")
_WORDS = {"": ("signed char", "int"), "u": ("unsigned char", "unsigned")}


def with_vectors_of_bytes(source: str) -> str:
    """Return a program whose vectors of bytes mean what TVM means by them."""
    made = sorted({(sign, int(words)) for sign, words in _MADE.findall(source)})
    functions = "".join(_maker(sign, words) for sign, words in made)
    return functions + _ELEMENT.sub("((signed char)(", source)


def _maker(sign: str, words: int) -> str:
    """Return an overload of CUDA's function that makes a vector of its words."""
    element, word = _WORDS[sign]
    count, name = 4 * words, f"{sign}int{words}"
    parameters = ", ".join(f"{element} b{n}" for n in range(count))
    parts = [
        " | ".join(f"({word})(unsigned char)b{first + n} << {8 * n}" for n in range(4))
        for first in range(0, count, 4)
    ]
    return (
        f"__device__ __forceinline__ {name} make_{name}({parameters}) {{\n"
        f"  return make_{name}({', '.join(parts)});\n}}\n"
    )
