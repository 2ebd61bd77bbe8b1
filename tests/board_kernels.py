"""A library of kernels that behave well and badly."""

from __future__ import annotations

from pathlib import Path

import tvm
from tvm.script import tirx as T

from tvmlcnn.package.link import link


@T.prim_func(s_tir=True)
def double(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):
    for i in T.parallel(64):
        y[i] = x[i] * T.float32(2)


@T.prim_func(s_tir=True)
def crash(x: T.Buffer((64,), "float32")):
    T.evaluate(T.call_extern("int32", "raise", 11))
    x[0] = T.float32(0)


@T.prim_func(s_tir=True)
def hang(x: T.Buffer((64,), "float32")):
    for i in T.serial(T.int64(1 << 40)):
        x[i % T.int64(64)] = T.Cast("float32", T.call_extern("int32", "rand"))


KERNELS = {function.attrs["global_symbol"]: function for function in (double, crash, hang)}


def build(path: Path, **target: str) -> Path:
    """Compile the kernels for a target of LLVM's and link them."""

    def collect(output: str, files: list[str], options: object = None) -> None:
        link([Path(file) for file in files], Path(output), exports="__[tT][vV][mM]*")

    collect.output_format = "so"  # type: ignore[attr-defined]
    module = tvm.IRModule(KERNELS)
    compiled = tvm.compile(module, tvm.target.Target({"kind": "llvm", **target}))
    compiled.export_library(str(path), fcompile=collect)
    return path
