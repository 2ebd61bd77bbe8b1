"""``python -m tvmlcnn`` is the command ``tvmlcnn``."""

from tvmlcnn.cli import main

main()
