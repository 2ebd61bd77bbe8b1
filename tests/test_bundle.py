"""What ``tvmlcnn header`` and ``tvmlcnn bundle`` give is all that a program needs."""

from __future__ import annotations

import shutil
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT, Cli

import tvmlcnn.bundle
from tvmlcnn.runtime.c import HEADER

sys.path.insert(0, str(Path(__file__).parent / "examples"))

from programs import call, sample, with_cmake

CONTENTS = {
    *("classifier.so", "tvmlcnn.h", "tvmlcnn.hpp", "classify.c", "CMakeLists.txt", "classify.py"),
    *("LICENSE", "NOTICE", "README.md"),
}


@pytest.fixture
def file(classifier: Callable[[str], Path], tmp_path: Path) -> Path:
    path = tmp_path / "classifier.so"
    path.write_bytes(classifier("x86_64").read_bytes())
    return path


def test_the_header_is_printed(cli: Cli) -> None:
    assert cli("header").out == HEADER.read_text()


@pytest.mark.system
def test_a_bundle_is_built_and_run(file: Path, tmp_path: Path, cli: Cli, samples: Path) -> None:
    printed = cli("bundle", file, "-o", "out").out
    folder = tmp_path / "out"
    assert {path.name for path in folder.iterdir()} == CONTENTS
    assert all(name in printed for name in CONTENTS)
    assert (folder / "classifier.so").read_bytes() == file.read_bytes()
    assert "Apache License" in (folder / "LICENSE").read_text()
    given = sample(folder / "classifier.so", tmp_path)
    assert call([with_cmake(folder), folder / "classifier.so", given.npy]).count("\n") == 7
    photo = samples / "chelsea.png"
    ran = cli("run", file, "--image", photo).out
    assert call([sys.executable, folder / "classify.py", file, photo]) == f"{photo}\n{ran}"


def test_the_readme_says_what_the_file_is(
    classifier: Callable[[str], Path], tmp_path: Path, cli: Cli
) -> None:
    made = cli("bundle", classifier("armv7l"), "--json").json
    assert made["folder"] == "armv7l"
    assert made["bytes"]["armv7l.so"] == classifier("armv7l").stat().st_size
    readme = (tmp_path / "armv7l" / "README.md").read_text()
    assert readme.startswith("# SmallNet for rpi2")
    assert "`armv7l.so` runs on Linux on armv7l with neon" in readme
    assert "input `x`: float32 1x3x32x32" in readme
    assert "build/classify ./armv7l.so INPUT\n" in readme
    assert "[0.485, 0.456, 0.406]" in readme


def test_mistakes(file: Path, tmp_path: Path, cli: Cli) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine").touch()
    assert "the folder full is not empty" in cli("bundle", file, "-o", "full").error
    assert "classifier.so is a file" in cli("bundle", file, "-o", "classifier.so").error
    assert "cannot write none/out" in cli("bundle", file, "-o", "none/out").error
    assert "is not an ELF shared library" in cli("bundle", "full/mine", "-o", "out").error
    content = bytearray(file.read_bytes())
    content[content.index(b"\x7fELF") + 4000] ^= 1
    file.write_bytes(content)
    assert "damaged" in cli("bundle", file, "-o", "out").error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.so", "full"]


def test_an_empty_folder_is_filled_and_a_failure_leaves_it_so(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    with monkeypatch.context() as patch:
        patch.setattr(tvmlcnn.bundle, "_COPIED", (*tvmlcnn.bundle._COPIED, tmp_path / "missing"))
        with pytest.raises(tvmlcnn.UserError, match="No such file"):
            tvmlcnn.bundle.bundle(file, folder)
    assert list(folder.iterdir()) == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["classifier.so", "empty"]
    tvmlcnn.bundle.bundle(file, folder)
    assert {path.name for path in folder.iterdir()} == CONTENTS


@pytest.mark.long
def test_a_wheel_has_header_sources_and_examples(tmp_path: Path) -> None:
    source = tmp_path / "source"  # what was built before would be in the wheel too
    unneeded = shutil.ignore_patterns(".*", "build", "*.egg-info", "tests")
    shutil.copytree(ROOT, source, symlinks=True, ignore=unneeded)
    build = ["pip", "wheel", "-q", "--no-deps", "--no-build-isolation", "-w", tmp_path, source]
    call([sys.executable, "-m", *build])
    (wheel,) = tmp_path.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    for folder, patterns in (("runtime/c", "*.[chz]*"), ("examples", "**/*.*")):
        for path in (ROOT / "tvmlcnn" / folder).glob(patterns):
            if path.is_file() and "__pycache__" not in path.parts:
                assert str(path.relative_to(ROOT)) in names
    assert {"tvmlcnn/examples/LICENSE", "tvmlcnn/examples/NOTICE"} <= names


def test_the_readme_says_what_frames_are(resizing_file: Path, tmp_path: Path, cli: Cli) -> None:
    assert cli("bundle", resizing_file, "-o", "out").code == 0
    readme = (tmp_path / "out" / "README.md").read_text()
    assert "- input `frame`: uint8 1x32x40x3" in readme
    assert "planes" not in readme
    assert "`tvmlcnn_run_frames` takes photos of any size" in readme
