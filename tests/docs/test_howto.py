"""The how-to pages, followed literally: in a copy of the checkout, and from another package."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from conftest import ROOT
from pages import Reader, blocks

PAGES = sorted((ROOT / "docs").glob("add-*.md"))
OWN = "\n## From your own package\n"
WITH_OWN = [page for page in PAGES if OWN in page.read_text("utf-8")]

pytestmark = pytest.mark.long


def named(page: Path) -> str:
    return page.stem


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_in_the_checkout(page: Path, tmp_path: Path) -> None:
    checkout = tmp_path / "checkout"
    checkout.mkdir()
    for name in ("docs", "schedules", "targets", "tests", "tvmlcnn"):
        # With what Python compiled, which takes it a second; it sees what has changed since.
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, checkout / name, symlinks=True)
    shutil.copy(ROOT / "pyproject.toml", checkout)
    here, _, _ = page.read_text("utf-8").partition(OWN)
    Reader(checkout, tmp_path / "packages", [checkout]).follow(here)


@pytest.mark.parametrize("page", WITH_OWN, ids=named)
def test_from_another_package(page: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    here, _, own = page.read_text("utf-8").partition(OWN)
    file = blocks(here)[0]  # "the same file"
    name = Path(file.title).name
    assert f"the same file, `{name}`" in own
    (source / name).write_text(file.text, "utf-8")
    Reader(source, tmp_path / "packages", [ROOT]).follow(own)


def test_pages_are_found() -> None:
    assert len(PAGES) == 5
    assert len(WITH_OWN) == 3
