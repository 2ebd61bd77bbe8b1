"""The token of a board: a secret in a file, which its server and its clients share."""

from __future__ import annotations

import re
from pathlib import Path

from tvmlcnn.errors import UserError

_FORM = re.compile(r"[!-~]{16,256}")  # printable ASCII


def read_token(path: str | Path) -> str:
    """Return the token in a file: what it holds, but for blanks around it.

    Raises
    ------
    UserError
        If it cannot be read, or holds what is too short for a secret or no single word.
    """
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            token = file.read(1 << 12).strip()
    except OSError as error:
        problem = f"cannot read {path}: {error.strerror}"
    else:
        if _FORM.fullmatch(token):
            return token
        problem = (
            f"{path} holds no token: it has to be one word of 16 to 256 characters, such as "
            "`openssl rand -hex 32` prints"
        )
    raise UserError(problem, parameters=("token_file",))
