"""What has to be said for a network that is not computed in float32."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from conftest import Cli


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--dtype", "int8"], "int8 needs inputs to be calibrated with"),
        (["--calibrate", "photos"], "calibration data is for int8, and the dtype is float32"),
        (["--dtype", "int9", "--calibrate", "x"], "no dtype 'int9' (did you mean int8?)"),
        (["--keep-float", "conv"], "what stays float32 can be said for int8 alone"),
        (["--dtype", "int8", "--calibrate", "nowhere"], "no such folder or file of calibration"),
    ],
)
def test_what_is_missing_or_too_much_is_told(cli: Cli, options: list[str], said: str) -> None:
    error = cli("compile", "squeezenet1_1?resolution=64", *options).error
    assert said in error
    assert any(option in error for option in ("--dtype", "--calibrate", "--keep-float"))


def test_calibration_that_cannot_be_used_is_told(cli: Cli, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.full((4, 3, 64, 64), np.nan, np.float32))
    network = ["compile", "squeezenet1_1?resolution=64", "--dtype", "int8", "--calibrate", "x.npy"]
    assert "infinite or no numbers (--calibrate)" in cli(*network).error
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((4, 3, 64, 64), np.float32))
    error = cli(*network, "--keep-float", "clasifier").error
    assert "no layer that int8 can have is called 'clasifier'" in error
    sizes = cli(*network, "--input-shape", "1..2x3x64x64").error
    assert "an int8 file takes one shape of each input" in sizes
