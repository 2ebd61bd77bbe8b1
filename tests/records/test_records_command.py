"""``tvmlcnn records``, as a user calls it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import Cli
from making import CONV, record, trial

from tvmlcnn.records import Record, Store, places

BETTER = {"microseconds": 50.0, "decisions": {"tile": 9}}


@pytest.fixture(autouse=True)
def _versions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tvmlcnn.records.versions", lambda: {"dense": 2, "depthwise": 1})


@pytest.fixture
def yours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """The user's records; the working folder of `cli` is another."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    return Store(tmp_path / "data" / "tvmlcnn" / "records")


@pytest.fixture(autouse=True)
def shipped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """What comes with tvmlcnn, which is nothing at first."""
    store = Store(tmp_path / "installed")
    monkeypatch.setattr("tvmlcnn.records.library.shipped_folder", lambda: store.folder)
    return store


def lines(path: Path) -> list[Record]:
    return [Record.from_json(json.loads(line)) for line in path.read_text().splitlines()]


def test_list(cli: Cli, yours: Store, shipped: Store) -> None:
    yours.add(record(), record(version=1), record("a", target="x86", microseconds=62.5))
    yours.add(record(threads=1, dtype="int8", decisions={}, microseconds=125.0))
    shipped.add(record(), record("b", rule="depthwise", version=1, microseconds=500 / 9))
    result = cli("records", "list")
    rows = [" ".join(line.split()) for line in result.out.splitlines()]
    assert [row for row in rows if row and "─" not in row] == [
        "rpi4, 1 thread, int8, on Raspberry Pi 4 Model B, yours: dense",
        "gain us workload",
        f"default 125.0 {CONV}",
        "rpi4, 4 threads, float32, on Raspberry Pi 4 Model B, shipped: depthwise",
        "gain us workload",
        "2.25 55.6 b",
        "rpi4, 4 threads, float32, on Raspberry Pi 4 Model B, yours: dense",
        "gain us workload",
        f"1.25 100.0 {CONV}",
        f"1.25, stale 100.0 {CONV}",
        "x86, 4 threads, float32, on Raspberry Pi 4 Model B, yours: dense",
        "gain us workload",
        "2.00 62.5 a",
        "rpi4 3 records, 1 of them default, 1.41 times as fast in the geometric mean, 1 stale",
        "x86 1 records, 2.00 times as fast in the geometric mean",
    ]


def test_list_is_whole_on_a_terminal_of_80_columns(
    cli: Cli, yours: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only workloads take several lines, two at most, and none is cut."""
    monkeypatch.setattr("rich.console.Console.is_terminal", True)
    monkeypatch.setenv("COLUMNS", "80")
    workload = "conv2d 1x28x28x512 -> 1x14x14x512 kernel 3x3x16x512 strides 2x2 groups 32"
    slow = record(microseconds=12345.6, default_microseconds=12345.6, decisions={})
    yours.add(replace(slow, workload=workload, rule="depthwise", version=1))
    lines = cli("records", "list").out.splitlines()
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    (row,) = (n for n, line in enumerate(lines) if line.startswith("default"))
    assert lines[row].split()[:3] == ["default", "12345.6", "conv2d"]
    assert " ".join([*lines[row].split()[2:], *lines[row + 1].split()]) == workload


def test_list_chooses(cli: Cli, yours: Store, tmp_path: Path) -> None:
    yours.add(record(), record("b", rule="depthwise", version=1), record("c", target="x86_64-zen"))
    data = cli("records", "list", "--target", "arm", "--rule", "depthwise", "--json").json
    assert data["folder"] == str(yours.folder)
    assert [row["workload"] for row in data["records"]] == ["b"]
    assert data["records"][0].items() >= {"gain": 1.25, "from": "yours", "stale": False}.items()
    summary = {"records": 1, "default": 0, "gain": pytest.approx(1.25), "stale": 0}
    assert data["targets"] == {"rpi4": summary}
    data = cli("records", "list", "--target", "x86_64-zen", "--json").json
    assert [row["workload"] for row in data["records"]] == ["c"]
    Store(tmp_path / "mine").add(record("d"))
    data = cli("records", "list", "--records", tmp_path / "mine", "--json").json
    assert [row["workload"] for row in data["records"]] == ["d"]
    assert "did you mean rpi4" in cli("records", "list", "--target", "rpi44").error


def test_list_of_nothing(cli: Cli, yours: Store) -> None:
    result = cli("records", "list")
    assert (result.code, result.out) == (0, "")
    assert result.err == f"no such records in {yours.folder}, and none are shipped\n"
    data = cli("records", "list", "--json").json
    assert (data["records"], data["targets"]) == ([], {})
    assert not yours.folder.exists()


def test_list_tells_broken_lines(cli: Cli, yours: Store) -> None:
    yours.add(record())
    path = yours.folder / "rpi4" / "records.jsonl"
    path.write_text("{}\n" + path.read_text())
    result = cli("records", "list", "--json")
    assert len(result.json["records"]) == 1
    assert result.err == f"warning: {path}:1: the key 'workload' is missing; skipped\n"


def test_merge(cli: Cli, yours: Store, tmp_path: Path) -> None:
    yours.add(record("same"), record("worse"), record("best", **BETTER))
    theirs = Store(tmp_path / "theirs")
    theirs.add(record("same"), record("worse", **BETTER), record("best"), record("new"))
    theirs.add(record("old", version=1), trial("trial"), record("slow", microseconds=200.0))
    (tmp_path / "file.jsonl").write_text(json.dumps(record("a", target="x86").to_json()))
    data = cli("records", "merge", "theirs", "file.jsonl", "--json").json
    assert data == {"folder": str(yours.folder), "new": 2, "better": 1, "kept": 2, "stale": 1}
    assert cli("records", "merge", "theirs", "--json").json["kept"] == 4
    gains = {r["workload"]: r["gain"] for r in cli("records", "list", "--json").json["records"]}
    assert gains == {"same": 1.25, "worse": 2.5, "best": 2.5, "new": 1.25, "a": 1.25}
    assert yours.trials("rpi4").entries == []
    text = cli("records", "merge", "theirs", "--records", "fresh").out
    rows = dict(line.split(maxsplit=1) for line in text.splitlines())
    assert (rows["folder"], rows["new"], rows["stale"]) == ("fresh", "4", "1, left out")
    assert len(Store(tmp_path / "fresh").records("rpi4").entries) == 4


def test_merge_keeps_threads_and_element_types_apart(
    cli: Cli, yours: Store, tmp_path: Path
) -> None:
    yours.add(record(), record("b", threads=1, **BETTER))
    others = [record(threads=1, **BETTER), record(dtype="int8", **BETTER), record("b")]
    Store(tmp_path / "theirs").add(*others)
    data = cli("records", "merge", "theirs", "--json").json
    assert (data["new"], data["better"], data["kept"]) == (3, 0, 0)
    assert yours.records("rpi4").entries[2:] == others


def test_merge_takes_all_or_nothing(cli: Cli, yours: Store, tmp_path: Path) -> None:
    good = json.dumps(record().to_json()) + "\n"
    (tmp_path / "good.jsonl").write_text(good)
    escape = good.replace('"rpi4"', '"../../x"')
    for content, words in (
        ("oops\n" + good, "bad.jsonl:1: no JSON"),
        (good + "{}\n" + good, "bad.jsonl:2: the key 'workload' is missing"),
        (good + good[:50], "bad.jsonl: its last line is cut short"),
        (good + escape, "bad.jsonl:2: target '../../x' is no name of a folder"),
        (json.dumps(trial().to_json()) + "\n", "bad.jsonl:1: the key 'default_microseconds' is"),
        ("", "bad.jsonl holds no records"),
    ):
        (tmp_path / "bad.jsonl").write_text(content)
        error = cli("records", "merge", "good.jsonl", "bad.jsonl").error
        assert words in error
        assert error.endswith("nothing was merged")
    (tmp_path / "empty").mkdir()
    assert "empty holds no records" in cli("records", "merge", "good.jsonl", "empty").error
    assert "no file or folder nowhere" in cli("records", "merge", "good.jsonl", "nowhere").error
    assert "Missing argument" in cli("records", "merge").error
    assert not yours.folder.exists()


def test_export(cli: Cli, yours: Store, shipped: Store, tmp_path: Path) -> None:
    yours.add(record("b"), record("a"), record("a", **BETTER), record("old", version=1))
    yours.add(record("w", rule="depthwise", version=1), record(target="x86"))
    shipped.add(record("s"), record("b", **BETTER))
    data = cli("records", "export", "all.jsonl", "--json").json
    assert data == {"file": "all.jsonl", "records": 5, "yours": 4, "shipped": 1}
    assert lines(tmp_path / "all.jsonl") == [
        *(record("a", **BETTER), record("b"), record("s")),
        *(record("w", rule="depthwise", version=1), record(target="x86")),
    ]
    assert cli("records", "export", "arm.jsonl", "--target", "arm", "--rule", "dense").code == 0
    assert [r.workload for r in lines(tmp_path / "arm.jsonl")] == ["a", "b", "s"]
    # What one exports another merges.
    data = cli("records", "merge", "all.jsonl", "--records", "theirs", "--json").json
    assert data["new"] == 5


def test_export_and_prune_keep_threads_and_element_types_apart(
    cli: Cli, yours: Store, tmp_path: Path
) -> None:
    several = [record(dtype=d, threads=n) for d in ("float32", "int8") for n in (1, 4)]
    yours.add(*several[::-1], record(threads=1, microseconds=120.0), trial(threads=1))
    assert cli("records", "export", "all.jsonl").code == 0
    assert lines(tmp_path / "all.jsonl") == several
    data = cli("records", "prune", "--json").json
    assert (data["superseded"], data["records"], data["trials"]) == (1, 4, 1)
    assert {entry.key for entry in yours.records("rpi4").entries} == {e.key for e in several}


def test_export_refuses(cli: Cli, yours: Store, tmp_path: Path) -> None:
    yours.add(record(version=1))
    (tmp_path / "a.jsonl").write_text("what was there")
    assert "no such records" in cli("records", "export", "a.jsonl").error
    yours.add(record())
    assert "no such records" in cli("records", "export", "a.jsonl", "--rule", "none").error
    assert (tmp_path / "a.jsonl").read_text() == "what was there"
    assert "cannot write no/a.jsonl: No such" in cli("records", "export", "no/a.jsonl").error
    (tmp_path / "folder").mkdir()
    assert "cannot write folder: Is a directory" in cli("records", "export", "folder").error


def test_prune(cli: Cli, yours: Store, shipped: Store) -> None:
    yours.add(record(version=1), record(), record(**BETTER), record("gone", rule="winograd"))
    yours.add(record("slow", microseconds=130.0), trial(), trial(version=1), record(target="x86"))
    path = yours.folder / "rpi4" / "trials.jsonl"
    path.write_text(path.read_text() + "[]\n{")
    shipped.add(record(version=1))
    kept = (shipped.folder / "rpi4" / "records.jsonl").read_bytes()
    data = cli("records", "prune", "--json").json
    assert data.pop("folder") == str(yours.folder)
    gone = {"stale": 2, "superseded": 2, "broken": 2, "stale_trials": 1}
    assert data == gone | {"records": 2, "trials": 1}
    assert yours.records("rpi4").entries == [record(**BETTER)]
    assert yours.trials("rpi4").entries == [trial()]
    assert yours.records("x86").entries == [record(target="x86")]
    assert (shipped.folder / "rpi4" / "records.jsonl").read_bytes() == kept
    again = cli("records", "prune").out
    assert "2 records, 1 trials" in again
    assert [line.split()[-2] for line in again.splitlines()[1:5]] == ["0"] * 4


def test_prune_of_nothing(cli: Cli, yours: Store) -> None:
    assert cli("records", "prune", "--json").json["records"] == 0
    assert not yours.folder.exists()


def test_a_verb_is_needed(cli: Cli) -> None:
    assert cli("records").error.startswith("error: Missing command; see ")
    assert "No such command" in cli("records", "lst").error
    help_ = cli("records", "--help")
    assert all(verb in help_.out for verb in ("list", "merge", "export", "prune"))


def test_the_shipped_folder_is_in_the_package() -> None:
    import tvmlcnn.schedules

    folder = Path(tvmlcnn.schedules.__file__).parent / "records"
    assert places.shipped_folder() == folder
