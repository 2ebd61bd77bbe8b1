"""What must fit before a library is loaded: machine, features."""

from __future__ import annotations

from tvmlcnn.errors import UserError

from .elf import ElfFile
from .machine import cpu_features, machine
from .manifest import Manifest


def check_fits(elf: ElfFile, manifest: Manifest) -> None:
    """Raise a UserError that names what does not fit, where this machine cannot run the file."""
    here, path = machine(), elf.path
    target = manifest.json["target"]
    if elf.machine != here:
        raise UserError(
            f"{path} was compiled for {elf.machine} (target {target['name']}), this machine is "
            f"{here}; compile it for this one"
        )
    missing = sorted(set(target["features"]) - cpu_features())
    if missing:
        raise UserError(
            f"{path} (target {target['name']}) needs {', '.join(missing)}, which this processor "
            "lacks; compile it for another target"
        )
