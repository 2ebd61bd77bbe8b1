"""What fewer bits cost networks with real weights, and how that is counted."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from PIL import Image

sys.path.insert(0, str(ROOT))  # tools/ is no package that is installed

from tools.accuracy import NETWORKS, agreement, crops


def test_only_crops_that_float32_is_sure_of_have_to_agree() -> None:
    exact = np.log(np.array([[0.6, 0.3, 0.1], [0.38, 0.32, 0.3], [0.1, 0.1, 0.8]]))
    found = exact[:, [0, 1, 2]].copy()
    found[1] = found[1, ::-1]  # whose margin was 6 points
    assert (agreement(exact, found).sure, agreement(exact, found).agreed_sure) == (2, 1.0)
    assert agreement(exact, found).agreed == pytest.approx(2 / 3)
    found[2] = found[2, ::-1]
    assert agreement(exact, found).agreed_sure == 0.5
    assert agreement(exact, exact).snr > 100


def test_crops_are_the_same_for_a_seed_and_in_turns(tmp_path: Path) -> None:
    paths = [tmp_path / "dark.png", tmp_path / "light.png"]
    for path, colour in zip(paths, ("#102030", "#d0e0f0"), strict=True):
        Image.new("RGB", (300, 200), colour).save(path)
    first, again = list(crops(paths, 5, seed=3)), list(crops(paths, 5, seed=3))
    assert all((one == other).all() for one, other in zip(first, again, strict=True))
    assert {crop.shape for crop in first} == {(224, 224, 3)}
    assert [crop.mean() > 128 for crop in first] == [False, True, False, True, False]


@pytest.mark.slow
@pytest.mark.fetches
@pytest.mark.parametrize("name", list(NETWORKS))
def test_int8_keeps_the_best_class_of_real_networks(name: str) -> None:
    command = [sys.executable, "-m", "tools.accuracy", name, "--dtype", "int8"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
