"""The folders of the source as packages that can be installed."""

from __future__ import annotations

from conftest import ROOT


def test_every_folder_with_modules_is_a_package() -> None:
    """Setuptools would leave it out of the wheel."""
    tops = [ROOT / name for name in ("tvmlcnn", "schedules", "targets")]
    folders = {path.parent for top in tops for path in top.rglob("*.py")}
    assert folders >= set(tops)
    assert [folder for folder in folders if not (folder / "__init__.py").is_file()] == []
