"""The example in C prints what Python prints, on each machine and with another C library."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from conftest import LABELS
from programs import Sample, call, emulated, refused, sample, sources, with_cmake, with_zig

from tvmlcnn.runtime.classify import top

Classifier = Callable[[str], Path]


def expected(given: Sample) -> list[str]:
    guesses = top(given.scores, LABELS)
    return [
        "input x: float32 1x3x32x32",
        "output output: float32 1x10",
        *(f"{guess.score:.3f}  {guess.label}" for guess in guesses),
    ]


@pytest.mark.system
def test_it_is_built_by_cmake(classifier: Classifier, tmp_path: Path) -> None:
    given = sample(classifier("x86_64"), tmp_path)
    program, file = with_cmake(sources("c", tmp_path)), classifier("x86_64")
    for form in (given.npy, given.raw):
        assert call([program, file, form]).splitlines() == expected(given)


@pytest.mark.system
def test_it_says_what_is_wrong(classifier: Classifier, tmp_path: Path) -> None:
    given = sample(classifier("x86_64"), tmp_path)
    program, file = with_cmake(sources("c", tmp_path)), classifier("x86_64")
    assert "give 1 arrays" in refused([program, file])
    assert "x takes 12288" in refused([program, file, program])
    assert "cannot read none" in refused([program, file, "none"])
    assert "invalid ELF header" in refused([program, given.npy, given.npy])
    library = next(Path("/lib/x86_64-linux-gnu").glob("libm.so.*"), None)
    if library:
        assert "no compiled network" in refused([program, library, given.npy])


@pytest.mark.parametrize(
    "machine",
    [pytest.param(name, marks=pytest.mark.emulated(name)) for name in ("aarch64", "armv7l")],
)
def test_other_machines(machine: str, classifier: Classifier, tmp_path: Path) -> None:
    given = sample(classifier("x86_64"), tmp_path)
    program = with_zig("cc", machine, sources("c", tmp_path) / "classify.c")
    ran = call(emulated(machine, program, classifier(machine), given.npy))
    assert ran.splitlines() == expected(given)


@pytest.mark.system
@pytest.mark.skipif(not shutil.which("musl-gcc"), reason="needs apt's musl-tools")
def test_musl(classifier: Classifier, tmp_path: Path) -> None:
    given = sample(classifier("x86_64"), tmp_path)
    folder = sources("c", tmp_path)
    call(["musl-gcc", "-O2", folder / "classify.c", "-o", folder / "classify"])
    assert b"ld-musl" in (folder / "classify").read_bytes()
    ran = call([folder / "classify", classifier("x86_64"), given.npy])
    assert ran.splitlines() == expected(given)


@pytest.mark.system
def test_several_sizes_and_outputs(tmp_path: Path) -> None:
    """The first program of a file is the one that it describes; without labels it prints ranges."""
    import torch

    import tvmlcnn

    class Two(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return x * 2, x.sum((1, 2))

    tvmlcnn.compile(Two(), "x86", "1..2x3x4", output=tmp_path / "two.so", check=False)
    np.save(tmp_path / "x.npy", np.arange(12, dtype=np.float32).reshape(1, 3, 4))
    ran = call(
        [with_cmake(sources("c", tmp_path)), tmp_path / "two.so", tmp_path / "x.npy"]
    ).splitlines()
    assert ran[0] == "input x: float32 1x3x4"
    assert [line.partition(": ")[2] for line in ran[3:]] == ["from 0 to 22", "from 66 to 66"]
