"""OpenCL C with numbers of float16, for a driver that has none (no ``cl_khr_fp16``).

PoCL's compiler, clang, has them as ``_Float16``: computed as float32 and rounded after each
operation, as an operation of float16 is. What OpenCL's library has for ``half`` is written here.
"""

from __future__ import annotations

import re

_LANES = (2, 4, 8)
_SPACES = ("__private", "__local", "__global")
_NAMES = re.compile(r"\b(convert_)?half(\d*)\b")
_PRAGMAS = re.compile(r"#ifdef cl_khr_fp16\n(?:.*\n)*?#endif\n")
_OVER = "__attribute__((overloadable))"


def with_halves(source: str) -> str:
    """Return a program that needs no extension for its halves, if it has any."""
    if not _NAMES.search(source):
        return source
    renamed = _NAMES.sub(lambda found: f"{found[1] or ''}number16{found[2]}", source)
    return _definitions() + _PRAGMAS.sub("", renamed)


def _definitions() -> str:
    lines = [
        "typedef _Float16 number16;",
        "#define convert_number16(x) ((number16)(x))",
        f"{_OVER} float convert_float(number16 x) {{ return x; }}",
    ]
    for name, sign in (("fmax", ">"), ("fmin", "<"), ("max", ">"), ("min", "<")):
        # Of two numbers of which one is NaN, the other one.
        body = f"return (b != b || a {sign} b) ? a : b;"
        lines.append(f"{_OVER} number16 {name}(number16 a, number16 b) {{ {body} }}")
    for n in _LANES:
        kind = f"number16{n}"
        lines.append(f"typedef number16 {kind} __attribute__((ext_vector_type({n})));")
        for name in ("fmax", "fmin", "max", "min"):
            lanes = ", ".join(f"{name}(a[{lane}], b[{lane}])" for lane in range(n))
            body = f"return ({kind})({lanes});"
            lines.append(f"{_OVER} {kind} {name}({kind} a, {kind} b) {{ {body} }}")
        for to, of in ((f"float{n}", kind), (kind, f"float{n}")):
            body = f"return __builtin_convertvector(x, {to});"
            name = f"convert_{to}"
            lines.append(f"{_OVER} {to} {name}({of} x) {{ {body} }}")
        for space in _SPACES:
            pointer = f"{space} number16* p"
            places = ", ".join(f"p[i * {n} + {lane}]" for lane in range(n))
            made = f"return ({kind})({places});"
            stores = " ".join(f"p[i * {n} + {lane}] = x[{lane}];" for lane in range(n))
            lines.append(f"{_OVER} {kind} vload{n}(size_t i, const {pointer}) {{{made}}}")
            lines.append(f"{_OVER} void vstore{n}({kind} x, size_t i, {pointer}) {{{stores}}}")
    return "\n".join(lines) + "\n"
