"""Where records lie: the user's own, and those that come with tvmlcnn."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path


def user_folder() -> Path:
    """Return the folder of the user's records, by the XDG base directory specification."""
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    # The specification wants a relative path to be ignored.
    base = data if data.is_absolute() else Path.home() / ".local" / "share"
    return base / "tvmlcnn" / "records"


def shipped_folder() -> Path:
    """Return the folder of the records that come with tvmlcnn; it need not exist.

    It is found without importing the schedules, which would take TVM's seconds.
    """
    spec = importlib.util.find_spec("tvmlcnn.schedules")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(next(iter(spec.submodule_search_locations))) / "records"
