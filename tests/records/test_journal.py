"""What was added to a journal stays, whatever becomes of its writers."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import tvmlcnn
from tvmlcnn.records import journal

_WRITER = """
import sys
from pathlib import Path
from tvmlcnn.records import journal
path, name, count, size = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
for number in range(count):
    journal.append(path, [{"writer": name, "number": number, "text": "x" * size}] * 2)
    print(number, flush=True)
"""


def writer(path: Path, name: str, count: int, size: int) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _WRITER, str(path), name, str(count), str(size)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def values(path: Path) -> list[object]:
    lines = journal.read(path)
    assert lines.broken == []
    return [value for _, value in lines.objects]


def test_append_and_read(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "er" / "a.jsonl"
    assert values(path) == []
    journal.append(path, [])
    assert not path.exists()
    journal.append(path, [{"a": 1}, {"b": "line\nbreak \u2028 é"}])
    journal.append(path, [{"c": None}])
    assert values(path) == [{"a": 1}, {"b": "line\nbreak \u2028 é"}, {"c": None}]
    assert len(path.read_bytes().splitlines()) == 3


@pytest.mark.parametrize(
    "value",
    [
        *("1e999", "-1e999", "NaN", "Infinity", "1" * 400, "-" + "9" * 20, "1" * 5000),
        *("[" * 100 + "]" * 100, "[" * 100_000 + "]" * 100_000, '{"a":' * 500 + "1" + "}" * 500),
    ],
    ids=lambda value: value[:8],
)
def test_numbers_without_end_are_set_aside(value: str, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"a": 1}}\n{{"b": {value}}}\n{{"c": {{"d": [1, 2.5, "x", null]}}}}\n')
    lines = journal.read(path)
    assert [value for _, value in lines.objects] == [{"a": 1}, {"c": {"d": [1, 2.5, "x", None]}}]
    (said,) = lines.broken
    assert said.startswith(f"{path}:2: ")
    assert len(said) < 200 + len(str(path))
    journal.append(path, [{"e": 2}])
    assert len(journal.read(path).objects) == 3


def test_two_writers_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    writers = [writer(path, name, 30, 20_000) for name in "abc"]
    # One more that replaces the file again and again while the others add to it.
    while any(w.poll() is None for w in writers):
        journal.rewrite(path, lambda lines: [*(value for _, value in lines.objects), {"more": 1}])
        time.sleep(0.02)
    assert [w.wait() for w in writers] == [0, 0, 0]
    found = [value for value in values(path) if "writer" in value]  # type: ignore[operator]
    for name in "abc":
        numbers = [v["number"] for v in found if v["writer"] == name]  # type: ignore[index]
        assert numbers == [number for number in range(30) for _ in range(2)]


def test_killed_while_appending(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    for turn in range(5):
        process = writer(path, str(turn), 100_000, 50_000)
        assert process.stdout is not None
        told = [int(process.stdout.readline()) for _ in range(3)]
        time.sleep(0.003 * turn)
        process.send_signal(signal.SIGKILL)
        told += [int(line) for line in process.stdout.read().splitlines()]
        process.wait()
        seen = {(v["writer"], v["number"]) for v in values(path)}  # type: ignore[index]
        assert seen >= {(str(turn), number) for number in told}
    journal.append(path, [{"writer": "last", "number": 0}])
    assert values(path)[-1] == {"writer": "last", "number": 0}


@pytest.mark.parametrize("kept", [1, 5, 12, 70_000])
def test_a_cut_line_is_left_out_and_then_removed(kept: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal.append(path, [{"a": 1}])
    whole = path.read_bytes()
    cut = json.dumps({"b": "x" * 100_000}).encode()[:kept]
    path.write_bytes(whole + cut)
    lines = journal.read(path)
    assert [value for _, value in lines.objects] == [{"a": 1}]
    assert lines.cut
    assert lines.broken == []
    journal.append(path, [{"c": 3}])
    assert path.read_bytes() == whole + b'{"c": 3}\n'


@pytest.mark.parametrize("before", [b"", b'{"a": 1}\n'])
def test_a_line_that_only_lacks_its_end_is_kept(before: bytes, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(before + b'{"b": 2}')
    assert values(path)[-1] == {"b": 2}
    journal.append(path, [{"c": 3}])
    assert values(path)[-2:] == [{"b": 2}, {"c": 3}]
    assert path.read_bytes().startswith(before)


def test_broken_lines_are_told_and_stay(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    content = b'{"a": 1}\n{"b":\n\n\xff\xfe\n{"c": NaN}\n' + b"[" * 10**5 + b'\n{"d": 4}\n'
    path.write_bytes(content)
    lines = journal.read(path)
    assert lines.objects == [(1, {"a": 1}), (7, {"d": 4})]
    assert [line.split(" ")[0] for line in lines.broken] == [f"{path}:{n}:" for n in (2, 4, 5, 6)]
    assert all("\n" not in line for line in lines.broken)
    journal.append(path, [{"e": 5}])
    assert path.read_bytes() == content + b'{"e": 5}\n'


@pytest.mark.parametrize("room", [0, 1, 100])
def test_full_disk(room: int, tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal.append(path, [{"a": 1}])
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    former = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + room, limits[1]))
    try:
        with pytest.raises(tvmlcnn.UserError) as caught:
            journal.append(path, [{"b": "x" * 60}, {"c": "x" * 60}])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, former)
    assert str(caught.value).startswith(f"cannot write {path}: File too large; what was there")
    assert path.read_bytes() == before
    journal.append(path, [{"b": 2}])
    assert values(path) == [{"a": 1}, {"b": 2}]


def test_no_space_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    write = os.write
    monkeypatch.setattr("os.write", lambda file, content: write(full, content))
    with pytest.raises(tvmlcnn.UserError, match=r"No space left on device; .* make room"):
        journal.append(tmp_path / "a.jsonl", [{"a": 1}])
    os.close(full)


def test_nothing_is_lost_when_the_disk_fails_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(b'{"a": 1}\n{"cut')

    def fail(file: int) -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", fail)
        with pytest.raises(tvmlcnn.UserError, match="Input/output error"):
            journal.append(path, [{"b": 2}])
    assert path.read_bytes() == b'{"a": 1}\n'


def test_rewrite(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    journal.rewrite(path, lambda lines: [{"never": 1}])
    assert not path.exists()
    journal.append(path, [{"a": 1}, {"b": 2}])
    inode = path.stat().st_ino
    journal.rewrite(path, lambda lines: [value for _, value in lines.objects])
    assert path.stat().st_ino == inode
    journal.rewrite(path, lambda lines: [value for _, value in lines.objects][1:])
    assert values(path) == [{"b": 2}]
    assert [p.name for p in tmp_path.iterdir()] == ["a.jsonl"]


def test_folders_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(tvmlcnn.UserError, match=r"cannot write .*file/a\.jsonl"):
        journal.append(tmp_path / "file" / "a.jsonl", [{}])
    with pytest.raises(tvmlcnn.UserError, match=r"Is a directory; choose another folder$"):
        journal.append(tmp_path, [{}])
    with pytest.raises(tvmlcnn.UserError, match="cannot read"):
        journal.read(tmp_path)
