"""Files for Android leave alone what Android keeps for itself."""

from __future__ import annotations

import re
from pathlib import Path

import torch
from arm_code import functions
from counting import needs_programs

import tvmlcnn


@needs_programs
def test_no_code_uses_the_platforms_register(tmp_path: Path) -> None:
    """``x18``: bionic keeps return addresses by it (Arm's AAPCS64, 6.1.1; Android's ABI)."""
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 64, 3), torch.nn.AvgPool2d(5), torch.nn.GELU())
    path = tmp_path / "net.so"
    tvmlcnn.compile(network, "android-arm64", (1, 3, 65, 65), output=path, check=False)
    code = dict(functions(path))
    assert "pool_run" in code
    assert [
        name for name, lines in code.items() if re.search(r"\b[xw]18\b", "\n".join(lines))
    ] == []
