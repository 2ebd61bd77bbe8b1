"""What tests of counting need that apt has, not pip."""

from __future__ import annotations

import pytest

from tvmlcnn.analysis.counting.programs import PACKAGES, program
from tvmlcnn.errors import UserError


def _missing() -> str:
    """Return what is missing, in one line."""
    try:
        for name in PACKAGES:
            program(name)
    except UserError as error:
        return str(error)
    return ""


needs_programs = pytest.mark.skipif(bool(_missing()), reason=_missing())
"""QEMU with plugins, and LLVM; ``python -m tools.count.programs`` unpacks them."""
