"""Stores that are taken together write what they wrote apart, by fewer instructions."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import tvm
import tvm_ffi
from codes import HERE, convolution, module, result_of
from executed import assembly_of
from hypothesis import given, settings
from hypothesis import strategies as st
from tvm import relax, tirx
from tvm.script import tirx as T

from tvmlcnn import pipeline
from tvmlcnn.graph import quantized_operators as quantized
from tvmlcnn.graph.quantized_operators import Code
from tvmlcnn.package.stores_of_vectors import stores_of_vectors
from tvmlcnn.targets import DEVICES, Cpu

few = settings(max_examples=12, deadline=None, derandomize=True)
devices = pytest.mark.parametrize("device", HERE, ids=lambda device: device.name)
X86 = DEVICES["x86"]
assert isinstance(X86, Cpu)


def stores(function: tirx.PrimFunc) -> list[int]:
    """Return how many elements each store of a function has, after the pass."""
    found: list[int] = []

    def visit(store: tirx.BufferStore) -> None:
        found.append(tvm.DataType(str(store.value.ty.dtype)).lanes)

    (made,) = stores_of_vectors(X86)(tvm.IRModule({"main": function})).functions.values()
    tvm_ffi.structural_walk(made.body, (tirx.BufferStore, visit))
    return found


@T.prim_func(s_tir=True)
def in_turns(a: T.Buffer((64,), "uint8"), b: T.Buffer((64,), "uint8")) -> None:
    b[T.ramp(0, 4, 16)] = a[T.ramp(0, 1, 16)]
    b[T.ramp(1, 4, 16)] = a[T.ramp(16, 1, 16)]
    b[T.ramp(2, 4, 16)] = a[T.ramp(32, 1, 16)]
    b[T.ramp(3, 4, 16)] = a[T.ramp(48, 1, 16)]


@T.prim_func(s_tir=True)
def of_what_is_written(a: T.Buffer((64,), "uint8"), b: T.Buffer((64,), "uint8")) -> None:
    b[T.ramp(0, 2, 16)] = a[T.ramp(0, 1, 16)]
    b[T.ramp(1, 2, 16)] = b[T.ramp(32, 1, 16)]


@T.prim_func(s_tir=True)
def with_gaps(a: T.Buffer((64,), "uint8"), b: T.Buffer((64,), "uint8")) -> None:
    b[T.ramp(0, 2, 16)] = a[T.ramp(0, 1, 16)]
    b[T.ramp(2, 2, 16)] = a[T.ramp(16, 1, 16)]


def test_stores_that_fill_each_others_gaps_are_one() -> None:
    assert stores(in_turns) == [64]


@pytest.mark.parametrize("function", [of_what_is_written, with_gaps])
def test_other_stores_stay(function: tirx.PrimFunc) -> None:
    assert stores(function) == [16, 16]


def codes_of(code: Code) -> Callable[..., relax.Expr]:
    def graph(emit: Callable[[relax.Expr], relax.Var], numbers: relax.Var) -> relax.Expr:
        return quantized.quantize(numbers, code)

    return graph


@devices
@few
@given(
    count=st.integers(1, 200),
    dtype=st.sampled_from(["uint8", "int8"]),
    zero=st.integers(0, 100),
    seed=st.integers(0, 9),
)
def test_codes_are_the_ones_next_to_numbers(
    device: Cpu, count: int, dtype: str, zero: int, seed: int
) -> None:
    """Halves go to even ones, and what is beyond the bounds to these, also infinity."""
    generator = np.random.default_rng(seed)
    steps = np.concatenate([generator.integers(-600, 600, 60) / 2, [3e9, -3e9, np.inf, -np.inf]])
    numbers = generator.choice(steps, (1, count)).astype(np.float32)
    (low, high), scale = quantized.CODES[dtype], 0.25
    found = result_of(codes_of(Code(scale, zero, dtype)), numbers * np.float32(scale), device)
    kind = device.codes or dtype
    shift = quantized.CODES[kind][0] - low
    expected = np.clip(np.rint(numbers.astype(np.float64) + zero), low, high) + shift
    np.testing.assert_array_equal(
        found.astype(np.int64) + (shift if kind != dtype else 0), expected
    )


INSTRUCTIONS = {
    "x86": ("vcvtps2dq", "vpackssdw", "vpackuswb"),
    "rpi5": ("uzp1", "sqxtn"),  # the sums are the bits of numbers, and nothing converts them
}


@pytest.mark.parametrize("target", INSTRUCTIONS)
def test_instructions_pack_codes(target: str) -> None:
    """And nothing compares what they saturate."""
    device = DEVICES[target]
    code = Code(0.5, 0, device.codes or "")
    made = convolution(np.ones((32, 16, 1, 1), np.int8), code)

    def graph(emit: Callable[[relax.Expr], relax.Var], codes: relax.Var) -> relax.Expr:
        return quantized.quantize(emit(made(emit, codes)), code)

    mod = pipeline.run(module((1, 16, 8, 8), code.dtype, graph), device)
    assembly = assembly_of(mod, device)
    assert all(name in assembly for name in INSTRUCTIONS[target])
    assert "vminps" not in assembly
    assert "fminnm" not in assembly
    assert "fcvtns" not in assembly
