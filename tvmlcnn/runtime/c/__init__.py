"""The runtime that each compiled file brings, in C, and the header by which it is called."""

from pathlib import Path

FOLDER = Path(__file__).parent
HEADER = FOLDER / "tvmlcnn.h"
