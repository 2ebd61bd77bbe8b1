"""The runtime in C, with a network that was written by hand."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tvmlcnn.runtime.c import FOLDER

TESTS = Path(__file__).parent / "c"
RUNTIME = [FOLDER / name for name in ("instance.c", "cpu.c", "kernels.c", "machine.c", "pool.c")]
NETWORK = TESTS / "network.c"
WRAPPED = ("calloc", "free", "posix_memalign", "pthread_create", "pthread_setspecific")
SANITIZERS = ("thread", "address,undefined")

Build = Callable[..., Path]


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Build:
    """Compile and link C with gcc and return the file, once."""
    gcc = shutil.which("gcc")
    if gcc is None:
        pytest.skip("no gcc")
    folder, known = tmp_path_factory.mktemp("c"), {}

    def build(*arguments: str | Path) -> Path:
        if arguments not in known:
            known[arguments] = folder / str(len(known))
            flags = ["-std=c11", "-g", "-O1", "-Wall", "-Wextra", "-Werror"]
            folders = [f"-I{FOLDER}", f"-I{TESTS}"]
            command = [gcc, *flags, *folders, *arguments, "-o", known[arguments], "-lpthread"]
            subprocess.run([*command, "-ldl"], check=True)
        return known[arguments]

    return build


def run(*command: str | Path, **variables: str) -> None:
    """Run a program that passes by exiting with 0."""
    done = subprocess.run(
        command,
        env=os.environ | variables,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def runtime_test(build: Build, *flags: str) -> Path:
    wraps = [f"-Wl,--wrap={name}" for name in WRAPPED]
    return build(*flags, TESTS / "runtime_test.c", NETWORK, *RUNTIME, *wraps)


@pytest.mark.parametrize("sanitizer", SANITIZERS)
def test_kernels_in_several_pools_at_once(sanitizer: str, build: Build) -> None:
    sources = [TESTS / "pool_test.c", FOLDER / "pool.c", FOLDER / "kernels.c"]
    run(build(f"-fsanitize={sanitizer}", *sources))


@pytest.mark.parametrize("sanitizer", SANITIZERS)
@pytest.mark.parametrize(
    "name",
    [
        *("neighbours", "coming_and_going", "busy", "errors", "hooks", "options"),
        *("no_memory", "few_threads"),
    ],
)
def test_under_a_sanitizer(name: str, sanitizer: str, build: Build) -> None:
    run(runtime_test(build, f"-fsanitize={sanitizer}"), name)


def test_forked_processes(build: Build) -> None:
    """Only beside UBSan: a child finds other sanitizers' locks as a thread left them that is gone.

    AddressSanitizer of GCC 12 takes none of its allocator's locks around a fork, and a child then
    waits for one; ThreadSanitizer knows no threads in it.
    """
    run(runtime_test(build, "-fsanitize=undefined"), "forked")


def test_under_valgrind(build: Build) -> None:
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        pytest.skip("no valgrind")
    leaks = ("--leak-check=full", "--show-leak-kinds=all", "--errors-for-leak-kinds=all")
    names = ("errors", "hooks", "options", "no_memory", "few_threads")
    fair = "--fair-sched=yes"  # else a thread that spins keeps others from running
    run(valgrind, "-q", "--error-exitcode=9", *leaks, fair, runtime_test(build), *names)


def test_nothing_grows(build: Build) -> None:
    run(runtime_test(build), "flat")


@pytest.mark.parametrize("name", ["again_and_again", "without_keys", "exit_in_a_run"])
def test_as_a_library(name: str, build: Build) -> None:
    library = build("-fPIC", "-shared", "-fvisibility=hidden", NETWORK, *RUNTIME)
    run(build(TESTS / "unload_test.c"), library, name, LINGER="1" if "exit" in name else "")
