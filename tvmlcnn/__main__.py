"""``python -m tvmlcnn`` is the command ``tvmlcnn``."""

import os
import sys

# Python puts the working folder first, where a user's types.py would go before Python's own.
if sys.path[0] == os.getcwd():
    del sys.path[0]

from tvmlcnn.cli import main

main()
