"""How much a zip file holds."""

from __future__ import annotations

import zipfile
from typing import BinaryIO


def unpacks_to_more(file: BinaryIO) -> bool:
    """Tell whether the members of a zip file are larger than the file; no zip file's are.

    torch stores members as they are. Compressed ones, and such as share their bytes, may unpack to
    any size. The file is left at its beginning.
    """
    try:
        if not zipfile.is_zipfile(file):
            return False
        with zipfile.ZipFile(file) as archive:
            held = sum(member.file_size for member in archive.infolist())
        return held > file.seek(0, 2)
    except (
        zipfile.BadZipFile,
        ValueError,
        NotImplementedError,
    ):  # whoever reads it says what it is
        return False
    finally:
        file.seek(0)
