"""What the process imports that those which build libraries are forked from.

Torch is not among it: TVM imports it where it is there, which takes longer than all the rest. It
is only hidden in the meantime, since the program that tunes may import it by itself.
"""

import sys

_hidden = "torch" not in sys.modules
if _hidden:
    sys.modules["torch"] = None  # type: ignore[assignment]

from . import building as building  # noqa: E402

if _hidden:
    del sys.modules["torch"]
