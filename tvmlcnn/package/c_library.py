"""What a compiled file takes from the C library of the process that loads it, and what it brings.

A file names no library that it needs, so that one file is loaded by glibc from 2.17, by musl and by
Android's bionic from API 21: it may call only what every process there has. Whatever else kernels
call, as ``powf`` of libm or the integer divisions of libgcc, is linked into the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Set
from pathlib import Path

from tvmlcnn.runtime.c import FOLDER
from tvmlcnn.runtime.elf import read_elf

from .zig import run_zig

FUNCTIONS = frozenset(
    (
        *("calloc", "clock_gettime", "close", "free", "getauxval", "getpid", "malloc", "memcpy"),
        *(
            "memmove",
            "memset",
            "open",
            "posix_memalign",
            "pthread_mutex_lock",
            "pthread_mutex_unlock",
            "read",
        ),
        *("sched_getaffinity", "sched_setaffinity", "sched_yield", "sigfillset", "snprintf"),
        *("strcmp", "strtol", "syscall"),
    )
)
"""Functions that are in libc itself everywhere.

Sources: bionic's ``libc/libc.map.txt``, where none of them is marked as introduced after API 21;
glibc 2.17's ``libc.so.6`` (``getauxval`` came with 2.16), whose versions of them take the same
arguments; musl's ``include/*.h``.
"""
OPTIONAL = frozenset(
    (
        *("dlerror", "dlopen", "dlsym"),
        *("pthread_create", "pthread_getspecific", "pthread_join", "pthread_key_create"),
        *("pthread_key_delete", "pthread_setspecific", "pthread_sigmask"),
    )
)
"""Functions that are in glibc's libdl and libpthread before 2.34, of which the runtime asks whether
they are there: in a program that is not linked with these, there is no GPU, and a network runs on
the caller's thread."""

_WEAK = 2
_SYMBOL = {True: struct.Struct("<IBBHQQ"), False: struct.Struct("<IIIBBH")}


def undefined(path: Path, table: str = ".symtab", names: str = ".strtab") -> set[str]:
    """Return the symbols that an object file, or with ``.dynsym`` a library, leaves to others."""
    return {name for name, section in _symbols(path, table, names) if section == 0}


def _symbols(path: Path, table: str, names: str) -> Iterable[tuple[str, int]]:
    elf = read_elf(path)
    wide = elf.machine != "armv7l"
    strings = elf.read(names)
    for entry in _SYMBOL[wide].iter_unpack(elf.read(table)):
        start, section = entry[0], entry[3 if wide else 5]
        if start:
            yield strings[start : strings.index(b"\0", start)].decode(), section


def missing(objects: Iterable[Path]) -> set[str]:
    """Return what object files of one library call that neither they nor a C library have."""
    defined: set[str] = set()
    called: set[str] = set()
    for path in objects:
        for name, section in _symbols(path, ".symtab", ".strtab"):
            (defined if section else called).add(name)
    return called - defined - FUNCTIONS - OPTIONAL


def weaken(library: Path) -> None:
    """Let a library be loaded where the loader does not find what it takes; see ``resolve.c``."""
    elf = read_elf(library)
    section = elf.sections[".dynsym"]
    wide = elf.machine != "armv7l"
    layout, info = _SYMBOL[wide], 1 if wide else 3
    content = bytearray(elf.read(".dynsym"))
    for start in range(layout.size, section.size, layout.size):
        entry = list(layout.unpack_from(content, start))
        if entry[3 if wide else 5] == 0:
            entry[info] = _WEAK << 4 | entry[info] & 0xF
            layout.pack_into(content, start, *entry)
    with open(library, "r+b") as file:
        file.seek(section.offset)
        file.write(content)


def supply(names: Set[str], triple: str, folder: Path) -> Path:
    """Write an object file with functions of libm and of the compiler's own library.

    Parameters
    ----------
    names : set of str
    triple : str
        zig's name of the machine.
    folder : Path

    Raises
    ------
    RuntimeError
        If there is no source of one of them.
    """
    sources = {
        "compiler_rt": Path(_zig_library(), "compiler_rt.zig"),
        "math": FOLDER / "math.zig",
    }
    flags = ["-O", "ReleaseFast", "-target", triple, "-fPIC", "-fstrip", "-ffunction-sections"]
    if triple.startswith("aarch64"):
        flags.append("-mcpu=generic+reserve_x18")  # which is Android's own
    for name, source in sources.items():
        command = ["build-obj", *flags, str(source), f"-femit-bin={folder / name}.o"]
        run_zig(command)
    result = folder / "supplied.o"
    objects = [str(folder / f"{name}.o") for name in sources]
    wanted = [word for name in sorted(names) for word in ("-u", name)]
    run_zig(["ld.lld", "-r", "--gc-sections", *wanted, *objects, "-o", str(result)])
    found = {name for name, section in _symbols(result, ".symtab", ".strtab") if section}
    if unknown := names - found:
        raise RuntimeError(f"kernels call {', '.join(sorted(unknown))}, which no C library has")
    return result


def _zig_library() -> Path:
    """Return the folder of zig's sources, which lie beside its program."""
    import ziglang

    return Path(ziglang.__file__).parent / "lib"
