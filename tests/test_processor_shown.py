"""What libraries of the process that compares frameworks see of the processor."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tvmlcnn.runtime.machine import cpu_features, machine

ROOT = Path(__file__).parents[1]
# What libraries do that choose their kernels.
ASK = """
#include <cpuid.h>
int leaf7(int word) {
    unsigned values[4];
    __cpuid_count(7, 0, values[0], values[1], values[2], values[3]);
    return (int)values[word];
}
"""
AVX2, AVX512F, AMX_TILE, VNNI = (1, 5), (1, 16), (3, 24), (2, 11)


def seen(target: str, folder: Path) -> dict[str, bool]:
    """Return what a library sees of the processor after `show`, in a process of its own."""
    (folder / "ask.c").write_text(ASK)
    zig = [sys.executable, "-m", "ziglang", "cc", "-shared", "-fPIC", "-o", folder / "ask.so"]
    subprocess.run([*zig, folder / "ask.c"], check=True, capture_output=True)
    code = f"""
import ctypes, sys
from pathlib import Path
from tools.peers.processor import show
from tvmlcnn.targets import resolve
device = resolve({target!r})
shown = show(device, Path({str(folder)!r}))
ask = ctypes.CDLL({str(folder / "ask.so")!r}).leaf7
for word, bit in {(AVX2, AVX512F, AMX_TILE, VNNI)!r}:
    print(ask(word) >> bit & 1)
print(shown.text)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    *bits, text = done.stdout.splitlines()
    if "cannot be intercepted" in text:
        pytest.skip("this processor or kernel cannot hide what CPUID says")
    return dict(zip(("avx2", "avx512f", "amx", "vnni"), map(bool, map(int, bits)), strict=True))


@pytest.mark.long
@pytest.mark.skipif(machine() != "x86_64", reason="CPUID is x86's")
def test_libraries_see_no_more_than_the_target_has(tmp_path: Path) -> None:
    here = cpu_features()
    native, x86 = seen("native", tmp_path), seen("x86", tmp_path)
    assert (native["avx2"], x86["avx2"]) == ("avx2" in here, "avx2" in here)
    assert native["avx512f"] == ("avx512f" in here)
    assert native["vnni"] == ("avx512_vnni" in here)
    assert not native["amx"]
    assert (x86["avx512f"], x86["vnni"], x86["amx"]) == (False, False, False)
