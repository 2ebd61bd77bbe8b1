"""Programs that call compiled files, from C, C++ and Python and as a web service."""

from pathlib import Path

FOLDER = Path(__file__).parent
