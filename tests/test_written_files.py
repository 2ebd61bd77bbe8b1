"""What becomes of files and of what is no file when something is read or written."""

from __future__ import annotations

import io
import os
import resource
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, Cli

from tvmlcnn.errors import UserError
from tvmlcnn.files import (
    check_writable,
    make_folder,
    refuse_special,
    scratch,
    write_folder,
    write_whole,
)
from tvmlcnn.records import Library, Store, merge, versions


def make_pipe(path: Path) -> None:
    os.mkfifo(path)


def make_socket(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(path))


def make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    except PermissionError:
        path.symlink_to("/dev/null")


def make_link_to_device(path: Path) -> None:
    path.symlink_to("/dev/full")


def make_link_to_pipe(path: Path) -> None:
    os.mkfifo(path.with_name("pipe"))
    path.symlink_to("pipe")


SPECIAL = (make_pipe, make_socket, make_device, make_link_to_device, make_link_to_pipe)


@pytest.fixture(params=SPECIAL, ids=lambda make: make.__name__)
def special(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """What is there, and is no file."""
    path = tmp_path / "special.so"
    request.param(path)
    return path


def write(path: Path, content: bytes = b"new") -> None:
    write_whole(path, lambda file: file.write(content))


def test_what_is_no_file_is_neither_written_nor_read(special: Path) -> None:
    before = os.lstat(special), os.stat(special)
    folder: list[Callable[[Path], object]] = [lambda path: write_folder(path, lambda new: None)]
    for use in (write, check_writable, refuse_special, *folder):
        with pytest.raises(UserError, match=r"special\.so is a (pipe|socket|device); name a file"):
            use(special)
    after = os.lstat(special), os.stat(special)
    assert [s.st_ino for s in before] == [s.st_ino for s in after]
    assert [s.st_mode for s in before] == [s.st_mode for s in after]
    assert not list(special.parent.glob(".tvmlcnn-*"))


def test_commands_refuse_what_is_no_file(special: Path, cli: Cli, net_file: str) -> None:
    """Each reader, which would wait for ever, and each writer, which would put a file there."""
    twin = {suffix: special.with_name(f"x{suffix}") for suffix in (".pt2", ".py", ".npy", ".pth")}
    for path in twin.values():
        path.symlink_to(special.name)
    for arguments in (
        ("inspect", special),
        ("run", special, "--random"),
        ("bench", special),
        ("bundle", special, "-o", "new"),
        ("compile", twin[".pt2"]),
        ("compile", f"{twin['.py']}:Net"),
        ("compile", net_file, "--weights", twin[".pth"]),
        ("compile", net_file, "-o", special),
        ("records", "export", special),
        ("records", "merge", special),
    ):
        assert str(special.parent) in cli(*arguments).error, arguments


@pytest.fixture
def net_file(tmp_path: Path) -> str:
    path = tmp_path / "net.py"
    path.write_text("from torch import nn\ndef Net(): return nn.Conv2d(3, 8, 3)\n")
    return f"{path}:Net"


def test_a_link_stays_one(tmp_path: Path) -> None:
    folder = tmp_path / "far"
    folder.mkdir()
    for name in ("there", "new"):
        (tmp_path / name).symlink_to(Path("far", name))
    (folder / "there").write_bytes(b"old")
    for name in ("there", "new"):
        write(tmp_path / name)
        assert (tmp_path / name).is_symlink()
        assert (folder / name).read_bytes() == b"new"
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(UserError, match=r"cannot write .*loop: Too many levels"):
        write(tmp_path / "loop")
    (tmp_path / "link").symlink_to("far/folder")
    write_folder(tmp_path / "link", lambda new: (new / "a").touch())
    assert (folder / "folder" / "a").exists()


def test_permissions_are_kept_and_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write(path)
    os.umask(mask := os.umask(0))
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~mask
    path.chmod(0o640)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o400)
    if os.geteuid():  # root may write all
        with pytest.raises(UserError, match="may not be written to"):
            check_writable(path)


@pytest.mark.parametrize("size", [255, 256, 5000])
def test_names_of_any_length(size: int, tmp_path: Path) -> None:
    path = tmp_path / ("x" * size)
    if size <= 255:  # NAME_MAX
        write(path)
        assert path.read_bytes() == b"new"
        return
    readers = (Library.of, lambda name: merge(Store(tmp_path), [name], versions()))
    for use in (write, check_writable, refuse_special, make_folder, *readers):
        with pytest.raises(UserError, match="File name too long"):
            use(path)


def test_a_zero_in_a_name(tmp_path: Path) -> None:
    for use in (write, check_writable, refuse_special):
        with pytest.raises(UserError, match="no name of a file"):
            use(tmp_path / "a\0b")


@contextmanager
def limited(bytes_: int) -> Iterator[None]:
    """Let no file grow beyond some bytes, as ``ulimit -f`` does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bytes_, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_limit_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    path.write_bytes(b"old")
    array = np.zeros(10_000, np.float32)
    for save in (lambda f: f.write(bytes(9999)), lambda f: np.save(f, array)):
        with limited(1000), pytest.raises(UserError, match=r"cannot write .*a\.npy: "):
            write_whole(path, save)
        assert path.read_bytes() == b"old"
        assert list(tmp_path.iterdir()) == [path]
    said = pytest.raises(UserError, match=r"temporary files .* File too large")
    with limited(1000), said, scratch("test-") as folder:
        (folder / "a").write_bytes(bytes(9999))
    assert not folder.exists()


def test_a_mistake_in_scratch_is_no_full_disk() -> None:
    with pytest.raises(FileNotFoundError), scratch("test-") as folder:
        (folder / "a").read_bytes()


def test_no_folder_for_temporary_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    with pytest.raises(UserError, match="set TMPDIR"), scratch("test-"):
        pass


@pytest.mark.long
@pytest.mark.parametrize("kilobytes", [0, 4, 32])
def test_compiling_under_a_limit_ends_in_a_line(kilobytes: int, net_file: str) -> None:
    """Wherever it is reached: by Python, by LLVM, by zig."""
    done = subprocess.run(
        ["sh", "-c", f'ulimit -f {2 * kilobytes}; exec "$@"', "sh", sys.executable]
        + ["-m", "tvmlcnn", "compile", net_file, "--input-shape", "1x3x8x8", "-o", "a.so"],
        cwd=Path(net_file).parent,
        env=os.environ | {"PYTHONPATH": str(ROOT), "XDG_CACHE_HOME": str(Path(net_file).parent)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "error: " in done.stderr.splitlines()[-1]
    assert not [word for word in ("Traceback", "LLVM ERROR") if word in done.stderr]
    assert not list(Path(net_file).parent.glob("*.so"))


def test_the_output_of_the_process(small_file: Path) -> None:
    """Arrays and records can go through a pipe, and nothing else goes with them."""

    def run(*arguments: object) -> bytes:
        command = [sys.executable, "-m", "tvmlcnn", *map(str, arguments)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        return subprocess.run(command, env=environment, check=True, capture_output=True).stdout

    for name in ("-", "/dev/stdout"):
        written = run("run", small_file, "--random", "-o", name)
        assert written.startswith(b"\x93NUMPY")
        assert np.load(io.BytesIO(written)).shape == (1, 10)


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1"])
def test_a_library_is_not_written_to_the_output(name: str, net_file: str, cli: Cli) -> None:
    assert "name a file" in cli("compile", net_file, "-o", name).error


@pytest.mark.parametrize("arguments", [["models"], ["targets", "--json"], ["header"], ["--help"]])
def test_a_full_output_is_said(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "tvmlcnn", *arguments],
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1), done.stderr
    assert "No space left on device" in done.stderr
