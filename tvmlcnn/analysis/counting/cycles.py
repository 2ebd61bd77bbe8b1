"""Cycles that a model of a core, mostly LLVM's, takes for blocks of code."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping

from .cortex_a7 import issue_cycles
from .machines import MACHINES
from .profile import Code
from .programs import program

_ROUNDS = 50  # of each block after itself, as the blocks of hot loops run
_REPORT = re.compile(r"^\[\d+\] Code Region - (\d+)\n.*?^Total Cycles:\s+(\d+)", re.M | re.S)
# llvm-mca takes a call for 100 cycles, and stops at nothing that leaves the block.
_LEAVES = re.compile(r"(bl|blr|blx|bx|br|ret|svc|brk|udf)\b")

_OWN = {"cortex-a7": issue_cycles}
"""Cores that LLVM has no model of."""


def cycles(blocks: Mapping[Code, list[str]], machine: str, model: str) -> dict[Code, float]:
    """Return the cycles of one run of each block, when it runs again and again.

    All data are taken to be in the first cache, and all branches to be foreseen: that is what
    llvm-mca simulates.

    Parameters
    ----------
    blocks : mapping of Code to list of str
        Their assembly.
    machine : str
        Key of `machines.MACHINES`.
    model : str
        LLVM's name of the core, or one that `issue_cycles` is for.
    """
    if not blocks:
        return {}
    if model in _OWN:
        return {code: float(_OWN[model](block)) for code, block in blocks.items()}
    codes = list(blocks)
    regions = []
    for number, code in enumerate(codes):
        lines = "\n".join("nop" if _LEAVES.match(text) else text for text in blocks[code])
        regions.append(f"# LLVM-MCA-BEGIN {number}\n{lines}\n# LLVM-MCA-END\n")
    done = subprocess.run(
        [program("llvm-mca"), f"-mtriple={MACHINES[machine].triple}", f"-mcpu={model}"]
        + [f"-mattr={MACHINES[machine].features}", f"-iterations={_ROUNDS}"]
        + ["-instruction-info=false", "-resource-pressure=false"]
        + ["-skip-unsupported-instructions=any"],
        input="".join(regions),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"llvm-mca failed ({done.returncode}): {done.stderr.strip()[-500:]}")
    found = {
        codes[int(number)]: int(total) / _ROUNDS for number, total in _REPORT.findall(done.stdout)
    }
    # A block of which it could read nothing has no report.
    return {code: found.get(code, float(len(code))) for code in codes}
