"""Kernels that are launched before the one in front of them ends.

A kernel of a small layer takes a GPU about as long to launch as to compute. From compute capability
9.0 on one can be launched while the one before it runs, and waits in its first instruction for all
that has written (PTX ISA, "griddepcontrol"; CUDA C++ programming guide, "Programmatic dependent
launch"). The runtime launches kernels so that were compiled for such a GPU, but for those whose
blocks compute for long (`tvmlcnn.schedules.rule.SPREAD`): those took longer so, presumably since
several of their blocks come to lie on one multiprocessor where others hold room
(docs/measuring.md, "On a GPU").
"""

from __future__ import annotations

import re

_DEFINITION = """
static __device__ __forceinline__ void wait_for_kernels_before() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.wait;\\n\\tgriddepcontrol.launch_dependents;" ::: "memory");
#endif
}
"""
_KERNEL = re.compile(r"(__global__ void [^{;]*\{)")


def launched_early(source: str) -> str:
    """Return CUDA C++ whose kernels wait for what was launched before them.

    The next one is launched only then: at most two are on the GPU, and a kernel ends after all
    before it, so that it may write what they have read.
    """
    return _DEFINITION + _KERNEL.sub(r"\1\n  wait_for_kernels_before();", source)
