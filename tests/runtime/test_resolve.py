"""Where a loader finds functions only in the libraries that a file names, as Android's does.

No bionic is at hand: a library called ``libc.so``, which the process has loaded for itself alone,
stands for it. glibc's loader does not look there for what another library takes.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from conftest import ROOT

from tvmlcnn.package import c_library
from tvmlcnn.package.checksums import write_checksums
from tvmlcnn.package.link import link
from tvmlcnn.package.runtime_object import TRIPLES
from tvmlcnn.package.zig import run_zig
from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.elf import read_elf

sys.path.insert(0, str(ROOT / "tests" / "examples"))

from programs import call, emulated

LIBC = """
int fake_zero = 0;
int fake_add(int a, int b) { return a + b; }
int fake_other(void) { return 7; }
"""
PROBE = """
int fake_add(int, int), fake_other(void), fake_missing(void);
#pragma weak fake_add
#pragma weak fake_missing
int (*tvmlcnn_address)(int, int) = fake_add; /* in data, beside the two kinds in code */
int tvmlcnn_probe(void) {
    if (!fake_add || !tvmlcnn_address) return -1;
    if (fake_missing) return -2;
    return 100 * fake_add(2, 3) + 10 * tvmlcnn_address(1, 1) + fake_other();
}
"""
PROGRAM = """
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    for (int i = 1; i < count - 1; i++)
        if (!dlopen(words[i], RTLD_NOW | RTLD_LOCAL)) return puts(dlerror());
    void *file = dlopen(words[count - 1], RTLD_NOW | RTLD_LOCAL);
    if (!file) return puts(dlerror());
    int (*probe)(void) = (int (*)(void))dlsym(file, "tvmlcnn_probe");
    printf("%d\\n", probe());
}
"""


@pytest.mark.parametrize(
    "machine",
    [
        "x86_64",
        pytest.param("aarch64", marks=pytest.mark.emulated("aarch64")),
        pytest.param("armv7l", marks=pytest.mark.emulated("armv7l")),
    ],
)
def test_functions_are_found_in_bionic(machine: str, tmp_path: Path) -> None:
    def compiled(name: str, text: str, *options: str) -> Path:
        (tmp_path / f"{name}.c").write_text(text)
        path = tmp_path / name
        command = ["cc", "-target", TRIPLES[machine], "-O2", "-fPIC", *options]
        run_zig([*command, str(tmp_path / f"{name}.c"), "-o", str(path)])
        return path

    probe = compiled("probe.o", PROBE, "-c", "-fvisibility=default")
    source = (FOLDER / "resolve.c").read_text()
    resolve = compiled("resolve.o", source, "-c", "-std=c11", "-fvisibility=hidden")
    assert c_library.undefined(resolve) <= {"_DYNAMIC", "__ehdr_start", "__aeabi_unwind_cpp_pr0"}
    objects = [probe, resolve]
    if machine == "armv7l":
        text = "void __aeabi_unwind_cpp_pr0(void) {} void __aeabi_unwind_cpp_pr1(void) {}"
        objects.append(compiled("unwind.o", text, "-c"))
    link(objects, tmp_path / "file.so")
    libc = compiled("libc.so", LIBC, "-shared", "-nostdlib")
    program = compiled("program", PROGRAM, "-ldl")

    def run(*files: Path) -> str:
        command = [program, *files, tmp_path / "file.so"]
        return call(command if machine == "x86_64" else emulated(machine, *command))

    assert run(libc) == "527\n"
    assert run() == "-1\n"


def test_a_whole_file_takes_all_from_bionic(small_file: Path, tmp_path: Path) -> None:
    """Each function goes by another name, which only the library that stands for bionic's has."""
    names = c_library.undefined(small_file, ".dynsym", ".dynstr")
    section = read_elf(small_file).sections[".dynstr"]
    content = bytearray(small_file.read_bytes())
    strings = bytes(content[section.offset : section.offset + section.size])
    for name in names:
        content[section.offset + strings.index(f"\0{name}\0".encode()) + 1] = ord("X")
    renamed = tmp_path / "renamed.so"
    renamed.write_bytes(content)
    write_checksums(renamed)
    jumps = "".join(f".globl X{name[1:]}\nX{name[1:]}: jmp {name}@PLT\n" for name in names)
    (tmp_path / "libc.s").write_text(jumps)
    call(["gcc", "-shared", tmp_path / "libc.s", "-o", tmp_path / "libc.so", "-pthread"])
    code = """
import ctypes, sys
import numpy, tvmlcnn
original, libc, renamed = sys.argv[1:]
ctypes.CDLL(libc)
x = numpy.random.default_rng(0).standard_normal((1, 3, 32, 32)).astype("float32")
model = tvmlcnn.load(renamed, threads=2)
assert (model(x) == tvmlcnn.load(original, threads=2)(x)).all()
print(model.threads)
"""
    call([sys.executable, "-c", code, small_file, tmp_path / "libc.so", renamed])
    assert c_library.undefined(renamed, ".dynsym", ".dynstr").isdisjoint(names)
