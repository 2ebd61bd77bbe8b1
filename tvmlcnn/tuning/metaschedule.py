"""MetaSchedule without what it imports for tensor intrinsics, which takes half a minute."""

from __future__ import annotations

import logging
import os
import sys
import types

import tvm.s_tir

_INTRINSICS = "tvm.s_tir.tensor_intrin"


def _leave_out_intrinsics() -> None:
    """Put a package without content where MetaSchedule looks for tensor intrinsics.

    Nothing on AVX2, AVX-512 or NEON needs one; parsing those of all targets takes 30 seconds.
    """
    if _INTRINSICS not in sys.modules:
        module = types.ModuleType(_INTRINSICS)
        module.__path__ = [os.path.join(os.path.dirname(tvm.s_tir.__file__), "tensor_intrin")]
        sys.modules[_INTRINSICS] = module
        tvm.s_tir.tensor_intrin = module


_leave_out_intrinsics()

from tvm.s_tir import meta_schedule as ms  # noqa: E402

for _name in ("tvm.s_tir.meta_schedule", "tvm.s_tir.meta_schedule.cost_model.xgb_model"):
    logging.getLogger(_name).setLevel(logging.ERROR)

__all__ = ["ms"]
