"""The tables of a network as C, compiled and read back through the runtime's own functions."""

from __future__ import annotations

import ctypes
import json
import shutil
import subprocess
from pathlib import Path

import pytest

from tvmlcnn.package.cpu_tables import cpu_tables
from tvmlcnn.package.flat_program import Base, Call, Copy, FlatProgram, Place
from tvmlcnn.package.program_source import program_source
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.library import _FUNCTIONS
from tvmlcnn.runtime.manifest import TensorSpec
from tvmlcnn.runtime.tensors import Tensor

NAMES = [
    *('x"y', "line\nbreak\r\t", "back\\slash", "%s%n", "??/", "Größe 犬", "", "0x1F", "a\x7f0"),
    *("*/", "'"),
]
PARTS = """
int intact(void) { return 1; }
Kernel kernel_add;
int32_t kernel_add(Argument *arguments) {
    const float *x = arguments[0].value.pointer, *w = arguments[1].value.pointer;
    float *y = arguments[2].value.pointer;
    for (int i = 0; i < 2; i++) y[i] = x[i] + w[i];
    return 0;
}
__asm__(".pushsection .rodata\\n.balign 64\\n"
        ".global tvmlcnn_weights_section, tvmlcnn_manifest_section\\n"
        ".global tvmlcnn_manifest_section_end\\n"
        "tvmlcnn_weights_section: .float 0, 0, 0, 0, 5, 6, 7, 8\\n"
        "tvmlcnn_manifest_section: .ascii \\"{}\\"\\ntvmlcnn_manifest_section_end:\\n.popsection");
"""


def loaded(source: str, folder: Path) -> ctypes.CDLL:
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    (folder / "program.c").write_text(source + PARTS)
    sources = [FOLDER / f"{name}.c" for name in ("instance", "cpu", "kernels", "machine", "pool")]
    flags = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers"]
    subprocess.run(
        [gcc, *flags, "-fPIC", "-shared", f"-I{FOLDER}", folder / "program.c", *sources]
        + ["-o", folder / "net.so", "-lpthread"],
        check=True,
    )
    library = ctypes.CDLL(str(folder / "net.so"))
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    for name in ("inputs", "outputs"):
        getattr(library, f"tvmlcnn_{name}").restype = ctypes.POINTER(Tensor)
    return library


def specs(library: ctypes.CDLL, kind: str, program: int) -> list[TensorSpec]:
    count = ctypes.c_size_t()
    tensors = getattr(library, f"tvmlcnn_{kind}")(ctypes.c_size_t(program), ctypes.byref(count))
    found = []
    for tensor in tensors[: count.value]:
        name, dtype = tensor.name.decode(), tensor.dtype.decode()
        found.append(TensorSpec(name, tuple(tensor.shape[: tensor.rank]), dtype))
    return found


def test_programs_are_read_as_they_were(tmp_path: Path) -> None:
    inputs = [
        [TensorSpec(name, (2, number), "int64") for number, name in enumerate(NAMES)],
        [TensorSpec("x", (2,), "float32")],
        [],
    ]
    outputs = [
        [TensorSpec("scalar", (), "bool")],
        [TensorSpec("y", (2,), "float32"), TensorSpec("w", (1, 1), "float32")],
        [TensorSpec("huge", (3, 1 << 40), "float32")],
    ]
    weights, workspace = Place(Base.WEIGHTS, 1, 4), Place(Base.WORKSPACE, 0, 128)
    x, y = Place(Base.INPUT, 0, 0), Place(Base.OUTPUT, 0, 0)
    programs = [
        FlatProgram((), (), 0),
        FlatProgram(
            (Call("add", (x, weights, workspace)), Call("add", (workspace, weights, y))),
            (Copy(Place(Base.WEIGHTS, 1, 8), 1, 4),),
            136,
        ),
        FlatProgram((), (), 0),
    ]
    tables = cpu_tables(programs, [], None, 64)
    source = program_source(tables, programs, inputs, outputs, [0, 16])
    library = loaded(source, tmp_path)
    assert library.tvmlcnn_programs() == 3
    for number in range(3):
        assert specs(library, "inputs", number) == inputs[number]
        assert specs(library, "outputs", number) == outputs[number]
    handle = ctypes.c_void_p()
    assert library.tvmlcnn_open(None, ctypes.byref(handle)) == 0
    given, found, weight = (
        (ctypes.c_float * 2)(1, 2),
        (ctypes.c_float * 2)(),
        (ctypes.c_float * 1)(),
    )
    pointers = [
        (ctypes.c_void_p * len(arrays))(*map(ctypes.addressof, arrays))
        for arrays in ([given], [found, weight])
    ]
    assert library.tvmlcnn_run(handle, 1, *pointers) == 0
    assert [*found, *weight] == [1 + 2 * 6, 2 + 2 * 7, 7]
    library.tvmlcnn_close(handle)


def test_features_and_threads(tmp_path: Path) -> None:
    program = [FlatProgram((), (), 0)]
    for number, (features, error) in enumerate(
        [(["no_such"], b"the file needs no_such, which this processor lacks"), ([], b"")]
    ):
        folder = tmp_path / str(number)
        folder.mkdir()
        tables = cpu_tables(program, features, 1, 0)
        source = program_source(tables, program, [[]], [[]], [])
        library = loaded(source, folder)
        handle = ctypes.c_void_p()
        assert bool(library.tvmlcnn_open(None, ctypes.byref(handle))) == bool(error)
        assert library.tvmlcnn_error(handle) == error
        assert library.tvmlcnn_threads(handle) == (0 if error else 1)
        library.tvmlcnn_close(handle)


def test_the_source_is_ascii() -> None:
    spec = TensorSpec(json.loads('"\\u732b"'), (1,), "float32")
    programs = [FlatProgram((), (), 0)]
    tables = cpu_tables(programs, [], 1, 0)
    assert program_source(tables, programs, [[spec]], [[]], []).isascii()
