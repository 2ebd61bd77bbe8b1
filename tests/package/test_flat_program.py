"""Programs as flat lists: which kernel is called, with what, and what is left to be copied."""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

import itertools

import pytest
import tvm
from lowered import X86
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R
from tvm.script import tirx as T

from tvmlcnn import passes
from tvmlcnn.package.flat_program import Base, Call, Copy, FlatProgram, Place, flatten

(PLAN,) = (phase for phase in passes.phases(X86) if phase.name == "plan")
WORKSPACE, WEIGHTS, INPUT, OUTPUT = Base
JOIN = tvm.ir.Op.get("tvmlcnn.join")
ROW = 64 * 4
"""Bytes of a tensor of 64 floats."""


def program(mod: tvm.IRModule, weights: tuple[int, ...] = ()) -> FlatProgram:
    return flatten(PLAN.run(mod)["main"], weights)


@I.ir_module
class Chain:
    @T.prim_func(private=True)
    def add(x: T.Buffer((64,), "float32"), y: T.Buffer((64,), "float32")):
        for i in range(64):
            y[i] = x[i] + T.float32(1)

    @R.function
    def main(x: R.Tensor((64,), "float32")):
        cls = Chain
        with R.dataflow():
            a = R.call_tir(cls.add, (x,), out_ty=R.Tensor((64,), "float32"))
            b = R.call_tir(cls.add, (a,), out_ty=R.Tensor((64,), "float32"))
            c = R.call_tir(cls.add, (b,), out_ty=R.Tensor((64,), "float32"))
            d = R.call_tir(cls.add, (c,), out_ty=R.Tensor((64,), "float32"))
            y = (d,)
            R.output(y)
        return y


def test_a_chain_goes_to_and_fro_between_two_rooms() -> None:
    found = program(Chain)
    first, second, third, last = (call.arguments for call in found.calls)
    assert {call.function for call in found.calls} == {"add"}
    assert (first[0], last[1]) == (Place(INPUT, 0, 0), Place(OUTPUT, 0, 0))
    assert (first[1], second[1], third[1]) == (second[0], third[0], last[0])
    assert {first[1], second[1]} == {Place(WORKSPACE, 0, 0), Place(WORKSPACE, 0, ROW)}
    assert third[1] == first[1]
    assert found.workspace == 2 * ROW
    assert found.copies == ()


def test_outputs_that_no_kernel_writes() -> None:
    """An input, a weight, a tensor that is an output already, in another shape, and one used."""

    @I.ir_module
    class Module:
        @T.prim_func(private=True)
        def add(
            x: T.Buffer((64,), "float32"),
            w: T.Buffer((64,), "float32"),
            y: T.Buffer((64,), "float32"),
        ):
            for i in range(64):
                y[i] = x[i] + w[i]

        @R.function
        def main(
            x: R.Tensor((64,), "float32"),
            weights: R.Tuple(R.Tensor((8,), "float32"), R.Tensor((64,), "float32")),
        ):
            cls = Module
            with R.dataflow():
                v = weights[0]
                w = weights[1]
                a = R.call_tir(cls.add, (x, w), out_ty=R.Tensor((64,), "float32"))
                r = R.reshape(a, (8, 8))
                b = R.call_tir(cls.add, (a, w), out_ty=R.Tensor((64,), "float32"))
                f = R.reshape(x, (2, 32))
                y = (x, v, r, a, b, f, b)
                R.output(y)
            return y

    found = program(Module, (7, 5))
    a, b = Place(OUTPUT, 2, 0), Place(OUTPUT, 4, 0)
    assert found.calls == (
        Call("add", (Place(INPUT, 0, 0), Place(WEIGHTS, 5, 0), a)),
        Call("add", (a, Place(WEIGHTS, 5, 0), b)),
    )
    assert found.copies == (
        Copy(Place(INPUT, 0, 0), 0, ROW),
        Copy(Place(WEIGHTS, 7, 0), 1, 32),
        Copy(a, 3, ROW),
        Copy(Place(INPUT, 0, 0), 5, ROW),
        Copy(b, 6, ROW),
    )
    assert found.workspace == 0


@I.ir_module
class Split:
    @T.prim_func(private=True)
    def halves(
        x: T.Buffer((64,), "float32"),
        y: T.Buffer((64,), "float32"),
        z: T.Buffer((64,), "int64"),
        n: T.Buffer((), "float32"),
    ):
        for i in range(64):
            y[i] = x[i]
            z[i] = T.int64(1)
        n[()] = T.float32(1)

    @R.function
    def main(x: R.Tensor((64,), "float32")):
        cls = Split
        with R.dataflow():
            both = R.call_tir(
                cls.halves,
                (x,),
                out_ty=[
                    R.Tensor((64,), "float32"),
                    R.Tensor((64,), "int64"),
                    R.Tensor((), "float32"),
                ],
            )
            z = both[1]
            again = R.call_tir(
                cls.halves,
                (both[0],),
                out_ty=[
                    R.Tensor((64,), "float32"),
                    R.Tensor((64,), "int64"),
                    R.Tensor((), "float32"),
                ],
            )
            y = (again[2], z)
            R.output(y)
        return y


def test_kernels_of_several_results() -> None:
    """Results that nobody reads have a room too, which the kernel writes to."""
    first, second = program(Split).calls
    assert first.arguments[2] == Place(OUTPUT, 1, 0)
    assert second.arguments[3] == Place(OUTPUT, 0, 0)
    assert second.arguments[0] == first.arguments[1]
    sizes = {0: ROW, 1: ROW, 2: 2 * ROW, 3: 4}
    for call in (first, second):
        rooms = sorted(
            (place.offset, place.offset + sizes[number])
            for number, place in enumerate(call.arguments)
            if place.base is WORKSPACE
        )
        assert all(a[1] <= b[0] for a, b in itertools.pairwise(rooms)), rooms
        assert rooms[-1][1] <= program(Split).workspace


@I.ir_module
class Wide:
    @T.prim_func(private=True)
    def negate(x: T.Buffer((128,), "float32"), y: T.Buffer((128,), "float32")):
        for i in range(128):
            y[i] = T.float32(0) - x[i]


def _joined(returned: bool) -> tvm.IRModule:
    """Return two parts that a join puts together, and a kernel that reads it or the output."""
    builder = relax.BlockBuilder()
    row, both = relax.TensorType([64], "float32"), relax.TensorType([128], "float32")
    add = builder.add_func(Chain["add"], "add")
    negate = builder.add_func(Wide["negate"], "negate")
    x = relax.Var("x", row)
    with builder.function("main", [x]):
        with builder.dataflow():
            a = builder.emit(relax.call_tir(add, [x], row))
            b = builder.emit(relax.call_tir(add, [a], row))
            c = builder.emit(relax.Call(JOIN, [a, b]))
            if not returned:
                c = builder.emit(relax.call_tir(negate, [c], both))
            output = builder.emit_output(relax.Tuple([c]))
        builder.emit_func_output(output)
    return builder.get()


@pytest.mark.parametrize("returned", [False, True])
def test_parts_lie_in_what_they_are_joined_to(returned: bool) -> None:
    found = program(_joined(returned))
    base = OUTPUT if returned else WORKSPACE
    (_, a), (again, b) = (call.arguments for call in found.calls[:2])
    assert (a, again, b) == (Place(base, 0, 0), Place(base, 0, 0), Place(base, 0, ROW))
    if not returned:
        assert found.calls[2].arguments == (Place(base, 0, 0), Place(OUTPUT, 0, 0))
    assert found.workspace == (0 if returned else 2 * ROW)
    assert found.copies == ()


def test_a_part_of_a_tensor_is_copied_at_the_end() -> None:
    """It is an output beside the whole, and another one that is not returned."""
    builder = relax.BlockBuilder()
    row = relax.TensorType([64], "float32")
    add = builder.add_func(Chain["add"], "add")
    x = relax.Var("x", row)
    with builder.function("main", [x]):
        with builder.dataflow():
            a = builder.emit(relax.call_tir(add, [x], row))
            b = builder.emit(relax.call_tir(add, [x], row))
            c = builder.emit(relax.Call(JOIN, [a, b]))
            output = builder.emit_output(relax.Tuple([b, c]))
        builder.emit_func_output(output)
    found = program(builder.get())
    assert found.copies == (Copy(Place(OUTPUT, 1, ROW), 0, ROW),)


def test_without_kernels_and_without_elements() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((0, 3), "float32"), z: R.Tensor((), "bool")):
            with R.dataflow():
                y = (x, z)
                R.output(y)
            return y

    found = program(Module)
    assert found == FlatProgram((), (Copy(Place(INPUT, 1, 0), 1, 1),), 0)


def test_what_a_program_cannot_do() -> None:
    @I.ir_module
    class Module:
        @R.function
        def main(x: R.Tensor((4,), "float32")):
            with R.dataflow():
                a = R.add(x, x)
                y = (a,)
                R.output(y)
            return y

    with pytest.raises(ValueError, match=r"cannot do .*add"):
        program(Module)
