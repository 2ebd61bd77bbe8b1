"""Kernels of a task that are right and wrong, and compilers that fail."""

from __future__ import annotations

import os
import time

from tvm.script import tirx as T


@T.prim_func(s_tir=True)
def right(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 64), "float32")):
    for i in T.serial(64):
        y[0, i] = T.max(x[0, i], T.float32(0))


@T.prim_func(s_tir=True)
def wrong(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 64), "float32")):
    for i in T.serial(64):
        y[0, i] = T.max(x[0, i], T.float32(0.01))


@T.prim_func(s_tir=True)
def unfinished(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 64), "float32")):
    for i in T.serial(63):
        y[0, i] = T.max(x[0, i], T.float32(0))


@T.prim_func(s_tir=True)
def crash(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 64), "float32")):
    T.evaluate(T.call_extern("int32", "raise", 11))
    for i in T.serial(64):
        y[0, i] = T.max(x[0, i], T.float32(0))


@T.prim_func(s_tir=True)
def hang(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 64), "float32")):
    for i in T.serial(T.int64(1 << 40)):
        y[0, i % T.int64(64)] = T.Cast("float32", T.call_extern("int32", "rand"))


@T.prim_func(s_tir=True)
def refuse(x: T.Buffer((1, 64), "float32"), y: T.Buffer((1, 128), "float32")):
    """Wants another shape than it is given: TVM's own check raises."""
    for i in T.serial(64):
        y[0, i] = T.max(x[0, i], T.float32(0))


def compiler_hangs(*_: object) -> None:
    time.sleep(60)


def compiler_crashes(*_: object) -> None:
    os.abort()
