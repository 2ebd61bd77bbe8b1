"""A compiled file asks nothing of a process but what every C library has."""

from __future__ import annotations

import ctypes
import math
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import TARGETS

import tvmlcnn
from tvmlcnn.package import c_library
from tvmlcnn.package.link import link
from tvmlcnn.package.runtime_object import SOURCES, TRIPLES, runtime_objects
from tvmlcnn.runtime.elf import read_elf

_NEEDED, _TLS, _WEAK = 1, 7, 2
each_machine = pytest.mark.parametrize("machine", sorted(TARGETS))


def needed(path: Path) -> int:
    """Return how many libraries a library names that it needs."""
    elf = read_elf(path)
    entry = struct.Struct("<iI" if elf.machine == "armv7l" else "<qQ")
    return sum(tag == _NEEDED for tag, _ in entry.iter_unpack(elf.read(".dynamic")))


def segments(path: Path) -> set[int]:
    """Return the types of the program headers."""
    content = path.read_bytes()
    wide = content[4] == 2
    start = struct.unpack_from("<Q" if wide else "<I", content, 32 if wide else 28)[0]
    size, count = struct.unpack_from("<HH", content, 54 if wide else 42)
    return {struct.unpack_from("<I", content, start + i * size)[0] for i in range(count)}


def check_loads_anywhere(path: Path) -> None:
    assert needed(path) == 0
    assert _TLS not in segments(path)
    taken = c_library.undefined(path, ".dynsym", ".dynstr")
    assert taken <= c_library.FUNCTIONS | c_library.OPTIONAL
    assert "calloc" in taken


@each_machine
def test_a_file_needs_nothing_else(machine: str, classifier: Callable[[str], Path]) -> None:
    check_loads_anywhere(classifier(machine))


@each_machine
@pytest.mark.parametrize("family", sorted(SOURCES))
def test_the_runtime_asks_for_what_a_program_may_lack(
    machine: str, family: str, tmp_path: Path
) -> None:
    """Before glibc 2.34 a program need not be linked with libpthread and libdl."""
    found = set()
    for path in runtime_objects(machine, family, '#include "program.h"\n', tmp_path):
        elf = read_elf(path)
        strings = elf.read(".strtab")
        wide = machine != "armv7l"
        for entry in struct.iter_unpack("<IBBHQQ" if wide else "<IIIBBH", elf.read(".symtab")):
            name = strings[entry[0] : strings.index(b"\0", entry[0])].decode()
            if entry[3 if wide else 5] == 0 and name in c_library.OPTIONAL:
                found.add(name)
                assert entry[1 if wide else 3] >> 4 == _WEAK, name
    assert ("pthread_create" in found) == (family == "cpu")
    assert ("dlopen" in found) == (family == "cuda")


class Unusual(torch.nn.Module):
    """Operators whose kernels call functions, some of them on one machine only."""

    def forward(self, x: torch.Tensor, i: torch.Tensor) -> tuple[torch.Tensor, ...]:
        wide, positive = x.double(), x.abs() + 0.5
        return (
            positive**1.7 + torch.atan(x) + torch.asinh(x) + torch.acos(x.clamp(-1, 1)),
            torch.atan2(x, positive) + torch.exp2(x) + torch.fmod(x, 0.7) + torch.round(x),
            torch.sin(wide) + wide.exp() + torch.erf(wide) + torch.log1p(wide.abs()),
            i // (i.abs() + 1) + i % 7 + (x * 100).to(torch.int64),
            i.double() ** 2 + torch.floor(wide),
        )


@pytest.mark.long
@each_machine
def test_functions_that_a_program_may_lack_are_brought(machine: str, tmp_path: Path) -> None:
    """And they are right, on machines whose code can be run or emulated here."""
    path = tmp_path / "unusual.so"
    shapes = ("2x16", "2x16:int64")
    report = tvmlcnn.compile(Unusual(), TARGETS[machine], shapes, output=path)
    assert report.check["cases"] if machine == "x86_64" else report.check
    check_loads_anywhere(path)


UNARY = {
    **dict.fromkeys(("acos", "asin"), (-1, 1)),
    **dict.fromkeys(("atanh",), (-0.999, 0.999)),
    **dict.fromkeys(("asinh", "atan", "cosh", "erf", "expm1", "sinh", "tanh"), (-9, 9)),
    **dict.fromkeys(("acosh",), (1, 50)),
    **dict.fromkeys(("log1p",), (-0.9, 50)),
    **dict.fromkeys(("sin", "cos", "exp", "exp2", "floor", "nearbyint"), (-20, 20)),
}
BINARY = {"atan2": (-5, 5), "pow": (0.01, 9), "fmod": (-9, 9)}
ORACLE = {"nearbyint": np.rint, "erf": math.erf}


@pytest.fixture(scope="module")
def functions(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    folder = tmp_path_factory.mktemp("functions")
    names = {*UNARY, *BINARY}
    names |= {f"{name}f" for name in names - {"erf"}}
    supplied = c_library.supply(names, TRIPLES["x86_64"], folder)
    # Under other names: the process has functions of these already, and lld exports tvmlcnn_*.
    exported = folder / "exported.c"
    single, double = ("float", "double")
    lines = []
    for name in sorted(names):
        kind = single if name not in {*UNARY, *BINARY} else double
        two = name.removesuffix("f") in BINARY or name in BINARY
        given, passed = (f"{kind} x, {kind} y", "x, y") if two else (f"{kind} x", "x")
        lines += [f"{kind} {name}({given});"]
        lines += [f"{kind} tvmlcnn_{name}({given}) {{ return {name}({passed}); }}"]
    exported.write_text("\n".join(lines))
    from tvmlcnn.package.zig import run_zig

    flags = ["-target", TRIPLES["x86_64"], "-O1", "-fno-builtin", "-fPIC"]
    run_zig(["cc", *flags, "-c", str(exported), "-o", str(folder / "exported.o")])
    link([folder / "exported.o", supplied], folder / "functions.so")
    return ctypes.CDLL(str(folder / "functions.so"))


@pytest.mark.parametrize("name", sorted({**UNARY, **BINARY}))
def test_accuracy(name: str, functions: ctypes.CDLL) -> None:
    """Within a few units in the last place of numpy's in double precision, or Python's."""
    low, high = {**UNARY, **BINARY}[name]
    count = 1 if name in UNARY else 2
    random = np.random.default_rng(0)
    points = random.uniform(low, high, (2000, count))
    renamed = {"acos": "arccos", "asin": "arcsin", "atan": "arctan", "acosh": "arccosh"}
    renamed |= {"asinh": "arcsinh", "atanh": "arctanh", "atan2": "arctan2", "pow": "power"}
    oracle = ORACLE.get(name) or getattr(np, renamed.get(name, name))
    for kind, dtype, suffix in (
        (ctypes.c_float, np.float32, "f"),
        (ctypes.c_double, np.float64, ""),
    ):
        if name == "erf" and suffix:
            continue
        function = getattr(functions, f"tvmlcnn_{name}{suffix}")
        function.restype, function.argtypes = kind, [kind] * count
        given = points.astype(dtype)
        found = np.array([function(*map(float, row)) for row in given])
        expected = np.array([oracle(*map(float, row)) for row in given])
        bound = 4 * np.finfo(dtype).eps
        np.testing.assert_allclose(found, expected, rtol=bound, atol=bound / 8, err_msg=suffix)


def test_special_values(functions: ctypes.CDLL) -> None:
    def of(name: str, *given: float) -> float:
        function = getattr(functions, f"tvmlcnn_{name}")
        function.restype, function.argtypes = ctypes.c_double, [ctypes.c_double] * len(given)
        return float(function(*given))

    inf, nan = math.inf, math.nan
    assert [of("erf", x) for x in (0.0, inf, -inf, 7.0)] == [0, 1, -1, 1]
    assert math.copysign(1, of("erf", -0.0)) == math.copysign(1, of("nearbyint", -0.3)) == -1
    halves = [-2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 2**52 + 1.0, inf]
    assert [of("nearbyint", x) for x in halves] == [-2, -2, 0, 0, 2, 2, 2**52 + 1.0, inf]
    for name, given in (("nearbyint", (nan,)), ("erf", (nan,)), ("pow", (-1.0, 0.5))):
        assert math.isnan(of(name, *given))
    given = ((0.0, 0.0), (-2.0, 3.0), (inf, -1.0), (0.0, -1.0))
    assert [of("pow", *each) for each in given] == [1, -8, 0, inf]


@pytest.mark.long
def test_a_function_that_nobody_has_is_named(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="kernels call no_such_function"):
        c_library.supply({"no_such_function", "sin"}, TRIPLES["x86_64"], tmp_path)
