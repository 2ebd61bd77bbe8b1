"""Which record a compilation finds, and where records lie."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from making import CONV, record, trial

from tvmlcnn.records import Library, Store, shipped_folder, user_folder
from tvmlcnn.targets import DEVICES, records_name, resolve

KEY = record().key


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(Store(tmp_path / "user"), Store(tmp_path / "shipped"))


def test_store(tmp_path: Path) -> None:
    store = Store(tmp_path / "records")
    assert store.targets() == []
    assert store.records("rpi4").entries == []
    first, second, other = record(), record("b"), record(target="x86")
    failed = trial(target="cuda", microseconds=None, error="device")
    store.add(first, trial(), other, failed, second)
    assert store.targets() == ["cuda", "rpi4", "x86"]
    assert store.records("rpi4").entries == [first, second]
    assert store.records("x86").entries == [other]
    assert store.trials("rpi4").entries == [trial()]
    assert store.trials("cuda").entries == [failed]
    files = {str(path.relative_to(store.folder)) for path in store.folder.rglob("*.jsonl")}
    assert files == {
        *("rpi4/records.jsonl", "rpi4/trials.jsonl"),
        *("x86/records.jsonl", "cuda/trials.jsonl"),
    }


def test_lines_that_are_no_records_are_told(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.add(record())
    path = tmp_path / "rpi4" / "records.jsonl"
    path.write_text(
        path.read_text() + '{"workload": "x"}\n' + path.read_text().replace("rpi4", "a")
    )
    contents = store.records("rpi4")
    assert contents.entries == [record()]
    assert contents.broken == [
        f"{path}:2: the key 'target' is missing",
        f"{path}:3: of a, in the folder of rpi4",
    ]


def test_a_record_hides_no_better_founded_one(library: Library) -> None:
    """An emulator's hides no real board's, and one that found nothing none that found something."""
    shipped = record(decisions={"tile": 1})
    library.shipped.add(shipped, record("b", decisions={"tile": 2}))
    library.user.add(
        record(board="emulated cortex-a72", microseconds=10.0, decisions={"tile": 3}),
        record("b", microseconds=125.0, decisions={}),
        record("c", board="emulated cortex-a72", decisions={"tile": 4}),
    )
    found = {item.record.workload: item.record for item in library.records("rpi4")}
    assert found[CONV] == shipped
    assert found["b"].decisions == {"tile": 2}
    assert found["c"].is_emulated
    library = Library(library.user, library.shipped)
    library.user.add(record(microseconds=120.0, decisions={"tile": 5}))
    assert {f.record.workload: f.origin for f in library.records("rpi4")}[CONV] == "yours"


def test_the_highest_gain_wins_and_of_equal_ones_the_last(library: Library) -> None:
    library.user.add(
        record(microseconds=90.0),
        record(microseconds=80.0, decisions={"tile": 1}),
        record(microseconds=160.0, default_microseconds=250.0, decisions={"tile": 2}),
        record(microseconds=95.0),
    )
    found = library.find(KEY)
    assert found is not None
    assert found.decisions == {"tile": 2}


def test_yours_come_before_shipped_ones(library: Library) -> None:
    library.shipped.add(record(microseconds=10.0), record("other"))
    library.user.add(record(microseconds=100.0))
    found = library.find(KEY)
    assert found is not None
    assert found.microseconds == 100
    assert library.find(KEY._replace(workload="other")) == record("other")
    assert {f.record.workload: f.origin for f in library.records("rpi4")} == {
        CONV: "yours",
        "other": "shipped",
    }
    assert library.targets() == ["rpi4"]


def test_only_what_fits_is_found(library: Library) -> None:
    library.user.add(record())
    assert library.find(KEY) == record()
    for other in (
        {"workload": "other"},
        *({"target": "rpi5"}, {"rule": "depthwise"}, {"version": 3}),
        *({"dtype": "int8"}, {"threads": 1}),
    ):
        assert library.find(KEY._replace(**other)) is None, other


def test_each_element_type_and_number_of_threads_has_its_own_record(library: Library) -> None:
    """The best of all gains is no hit for other threads."""
    four = record(decisions={"tile": 4})
    one = record(threads=1, microseconds=10.0, decisions={"tile": 1})
    whole = record(dtype="int8", microseconds=5.0, decisions={"tile": 8})
    library.shipped.add(four, whole)
    library.user.add(one)
    for entry in (four, one, whole):
        assert library.find(entry.key) == entry
    assert library.find(KEY._replace(threads=2)) is None
    assert [found.record for found in library.records("rpi4")] == [four, whole, one]


def test_other_threads(library: Library) -> None:
    """Only where the user's tuning was of use there, for the same kernel."""
    library.shipped.add(record(threads=9))
    library.user.add(record(threads=1), record(threads=2), record(threads=4))
    library.user.add(record(threads=3, decisions={}), record(threads=5, version=1))
    library.user.add(record(threads=6, dtype="int8"), record("other", threads=7))
    assert library.other_threads(KEY) == {1, 2}
    assert library.other_threads(KEY._replace(threads=8)) == {1, 2, 4}
    assert library.other_threads(KEY._replace(target="rpi5")) == set()


def test_no_record_makes_a_kernel_slower_than_the_default(library: Library) -> None:
    library.user.add(record(microseconds=126.0), record("other", microseconds=125.0))
    assert library.find(KEY) is None
    assert library.find(KEY._replace(workload="other")) is not None


def test_stale(library: Library) -> None:
    old, new, gone = record(version=1), record(version=2), record(rule="winograd")
    library.user.add(old, new)
    library.shipped.add(gone, record("other", version=1))
    assert library.stale(KEY, {"dense": 2}) == [gone, old]
    assert library.stale(KEY, {"dense": 2, "winograd": 2}) == [old]
    assert library.stale(KEY, {}) == [gone, old, new]
    for other in ({"target": "rpi5"}, {"threads": 1}, {"dtype": "int8"}):
        assert library.stale(KEY._replace(**other), {"dense": 3}) == []


def test_broken_lines_do_not_hide_the_others(library: Library) -> None:
    library.user.add(record())
    path = library.user.folder / "rpi4" / "records.jsonl"
    path.write_text("nonsense\n" + path.read_text())
    assert library.find(KEY) == record()
    assert library.broken == [f"{path}:1: no JSON: Expecting value: line 1 column 1 (char 0)"]


def test_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "tvmlcnn" / "records"
    monkeypatch.setenv("HOME", "/home/me")
    for other in ("", "relative/path"):
        monkeypatch.setenv("XDG_DATA_HOME", other)
        assert user_folder() == Path("/home/me/.local/share/tvmlcnn/records")
    assert Library.of(tmp_path / "mine").user.folder == tmp_path / "mine"
    assert Library.of(tmp_path / "mine").shipped.folder == shipped_folder()


def test_the_library_needs_neither_tvm_nor_the_tuner() -> None:
    program = (
        "import sys\n"
        "from tvmlcnn.records import Library\n"
        "library = Library.of()\n"
        "for target in library.targets(): library.records(target)\n"
        "heavy = {'tvm', 'torch', 'xgboost', 'numpy', 'tvmlcnn.tuning'}\n"
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_shipped_records_are_in_order() -> None:
    store = Store(shipped_folder())
    for target in store.targets():
        assert target in DEVICES
        contents = store.records(target)
        assert contents.broken == []
        assert not contents.cut
        assert all(record.gain >= 1 for record in contents.entries)
        lines = (store.folder / target / "records.jsonl").read_text().splitlines()
        assert [json.loads(line) for line in lines] == [r.to_json() for r in contents.entries]


def test_names_of_targets() -> None:
    assert [records_name(resolve(name)) for name in ("arm", "rpi4", "x86")] == (
        ["rpi4", "rpi4", "x86"]
    )
    assert records_name(resolve("jetson-orin-nano")) == "jetson-orin-nano-sm_87"
    assert records_name(resolve("arm").with_cores(2)) == "rpi4"
    native = resolve("native")
    assert records_name(native) == f"{native.machine}-{native.tvm['mcpu']}"
    zen = {"kind": "llvm", "mtriple": "x86_64-linux-gnu", "mcpu": "znver3"}
    assert records_name(resolve(zen)) == "x86_64-znver3"
    orin = {"kind": "cuda", "arch": "sm_87", "host": resolve("rpi4").tvm}
    assert records_name(resolve(orin)) == "aarch64-sm_87"
    del zen["mcpu"]
    assert records_name(resolve(zen)) == "x86_64-generic"
    for device in DEVICES.values():
        record(target=records_name(device))  # a name of a folder
