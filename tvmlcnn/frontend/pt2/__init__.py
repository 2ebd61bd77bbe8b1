"""Reading what ``torch.export.save`` writes without running anything that is in the file.

torch's own reader runs code that a file brings. It unpickles sample inputs, some weights and
constants; it evaluates the texts of sizes and of guards; it looks up, and calls, whatever function
of torch a node names; and it writes Python of the names in the graph and runs that. So a file is
taken apart here, each of its parts is checked against a list of what torch writes into it, and
torch gets a new archive of the checked parts alone: what two readers of a zip file may see
differently, as members of one name, it never sees. What is not on the list is refused.
"""

from .archive import checked_archive
from .may_run import MayRunError

__all__ = ["MayRunError", "checked_archive"]
