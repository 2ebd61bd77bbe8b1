"""Records of tuning: files that people share, one folder a target, in JSON lines.

Nothing here imports TVM, torch or the tuner, so that compiling with records needs none of it.
"""

from __future__ import annotations

from .library import Found, Library
from .places import shipped_folder, user_folder
from .record import Key, Record, Trial, geometric_mean
from .sharing import Merged, Pruned, export, merge, prune
from .store import Contents, Store
from .versions import VERSIONS, versions

__all__ = [
    "VERSIONS",
    "Contents",
    "Found",
    "Key",
    "Library",
    "Merged",
    "Pruned",
    "Record",
    "Store",
    "Trial",
    "export",
    "geometric_mean",
    "merge",
    "prune",
    "shipped_folder",
    "user_folder",
    "versions",
]
