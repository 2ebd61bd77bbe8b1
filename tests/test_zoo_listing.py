"""The list of the zoo that is read from its source: what importing it gives."""

from __future__ import annotations

from pathlib import Path

import pytest

from tvmlcnn import models, plugins, zoo_listing

REGISTER = "def register(*, input_shape=(1, 3, 224, 224), top1=None, labels=object()): ..."


def test_it_is_what_the_zoo_registers() -> None:
    entries = models.entries()
    found = zoo_listing.listing()
    assert [listed.name for listed in found] == sorted(entries)
    for listed in found:
        entry = entries[listed.name]
        assert isinstance(listed, zoo_listing.Listed)
        assert listed == zoo_listing.Listed(
            entry.name, entry.options, entry.input_shape, entry.top1, entry.source
        )


def test_a_file_of_networks(tmp_path: Path) -> None:
    """Values are its own, those of a dict of another file, and the defaults; nothing is run."""
    (tmp_path / "registry.py").write_text(REGISTER)
    (tmp_path / "shared.py").write_text(
        "SMALL: dict = {'input_shape': (1, 1, 8, 8), 'labels': f()}\nraise SystemExit"
    )
    (tmp_path / "net.py").write_text(
        "@register(source='a', **SMALL)\ndef one(size: int = 3, *, wide=False): ...\n"
        "@other\ndef none(): ...\n"
        "@register(source='b', top1=7.5, labels=None)\ndef two(): ..."
    )
    assert zoo_listing.read(tmp_path) == [
        zoo_listing.Listed(
            "one", {"size": 3, "wide": False, "resolution": 8}, (1, 1, 8, 8), None, "a"
        ),
        zoo_listing.Listed("two", {"resolution": 224}, (1, 3, 224, 224), 7.5, "b"),
    ]


def test_what_is_computed_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "registry.py").write_text(REGISTER)
    (tmp_path / "net.py").write_text("@register(source='a', top1=f())\ndef one(): ...")
    with pytest.raises(ValueError, match="malformed"):
        zoo_listing.read(tmp_path)


def test_then_and_with_networks_of_others_the_zoo_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    imported = [models.entries()[name] for name in models.names()]
    monkeypatch.setattr(zoo_listing, "_ZOO", tmp_path)
    assert zoo_listing.listing() == imported
    monkeypatch.undo()
    monkeypatch.setattr(plugins, "are_installed", lambda group: True)
    assert zoo_listing.listing() == imported
