"""Convolutions and products of codes as implicit GEMM, by sums of four products."""

from __future__ import annotations

from functools import partial

from ..rule import Rule
from .tensor_gemm import Layout, plan_of_segments, schedule_segments

DOT_GEMM = Rule(
    "dot_gemm", 1, Layout, partial(plan_of_segments, "dot_gemm", by_warps=False), schedule_segments
)
"""For GPUs whose tensor cores do not multiply codes by warps."""
