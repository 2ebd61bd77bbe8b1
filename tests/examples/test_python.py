"""The example in Python prints what ``tvmlcnn run`` prints."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

from conftest import Cli
from programs import EXAMPLES, call, refused

SCRIPT = EXAMPLES / "python" / "classify.py"


def test_it_classifies_photos(classifier: Callable[[str], Path], samples: Path, cli: Cli) -> None:
    file, photos = classifier("x86_64"), [samples / "chelsea.png", samples / "coffee.png"]
    printed = [f"{photo}\n{cli('run', file, '--image', photo).out}" for photo in photos]
    assert call([sys.executable, SCRIPT, file, *photos]) == "".join(printed)


def test_a_mistake_is_a_line(samples: Path) -> None:
    assert "cannot read none.so" in refused([sys.executable, SCRIPT, "none.so", samples])
