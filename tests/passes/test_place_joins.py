"""Kernels that write the parts of a join write into its buffer; the join itself is a view.

The pass runs when a kernel takes its output as its last argument; here kernels are external ones.
"""

# A function in TVMScript has no self.
# ruff: noqa: N805

from __future__ import annotations

from scripted import assert_becomes, join
from tvm import relax
from tvm.script import ir as I
from tvm.script import relax as R

from tvmlcnn.passes import PlaceJoins


def tensor(*shape: int, dtype: str = "float32") -> relax.Call:
    """Write a tensor that is allocated."""
    return R.builtin.alloc_tensor(R.shape(shape), R.dtype(dtype), R.prim_value(0))


def view(buffer: relax.Expr, *shape: int, at: int, dtype: str = "float32") -> relax.Call:
    """Write a view that begins at a byte of a tensor."""
    return R.memory.view(buffer, R.shape(shape), R.dtype(dtype), R.prim_value(at))


def placed(view: relax.Expr) -> relax.Call:
    """Write a view as kernels take it."""
    return R.memory.ensure_zero_offset(view)


def kernel(name: str, *arguments: relax.Expr) -> relax.Call:
    """Write a call of a kernel."""
    return R.call_packed(name, *arguments, ty_args=R.Tuple)


def test_parts_lie_one_after_the_other() -> None:
    """Of 64 and 128 bytes; what is in no join keeps a tensor of its own."""

    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float32")):
            a = tensor(1, 16)
            kernel("one", x, a)
            b = tensor(2, 16)
            kernel("two", a, b)
            j = join(a, b)
            y = tensor(1)
            kernel("total", j, y)
            return y

    @I.ir_module
    class After:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float32")):
            buffer = tensor(3, 16)
            part = view(buffer, 1, 16, at=0)
            a = placed(part)
            kernel("one", x, a)
            next_part = view(buffer, 2, 16, at=64)
            b = placed(next_part)
            kernel("two", a, b)
            j = view(buffer, 3, 16, at=0)
            y = tensor(1)
            kernel("total", j, y)
            return y

    assert_becomes(PlaceJoins(), Before, After)


def test_a_growing_list_has_one_buffer() -> None:
    """The shorter join is a view of the beginning of the longer one's buffer."""

    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float16")):
            a = tensor(1, 16, dtype="float16")
            kernel("one", x, a)
            b = tensor(1, 16, dtype="float16")
            kernel("one", a, b)
            short = join(a, b)
            c = tensor(1, 16, dtype="float16")
            kernel("sum", short, c)
            long = join(a, b, c)
            y = tensor(1, dtype="float16")
            kernel("total", long, y)
            return y

    @I.ir_module
    class After:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float16")):
            buffer = tensor(3, 16, dtype="float16")
            first = view(buffer, 1, 16, at=0, dtype="float16")
            a = placed(first)
            kernel("one", x, a)
            second = view(buffer, 1, 16, at=32, dtype="float16")
            b = placed(second)
            kernel("one", a, b)
            short = view(buffer, 2, 16, at=0, dtype="float16")
            third = view(buffer, 1, 16, at=64, dtype="float16")
            c = placed(third)
            kernel("sum", short, c)
            long = view(buffer, 3, 16, at=0, dtype="float16")
            y = tensor(1, dtype="float16")
            kernel("total", long, y)
            return y

    assert_becomes(PlaceJoins(), Before, After)


def test_two_joins_and_a_part_under_another_name() -> None:
    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float32")):
            a = tensor(1, 16)
            kernel("one", x, a)
            b = tensor(1, 16)
            kernel("one", x, b)
            alias = b
            j = join(a, alias)
            c = tensor(1, 16)
            kernel("sum", j, c)
            d = tensor(1, 16)
            kernel("sum", j, d)
            return join(d, c)

    @I.ir_module
    class After:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float32")):
            first = tensor(2, 16)
            va = view(first, 1, 16, at=0)
            a = placed(va)
            kernel("one", x, a)
            vb = view(first, 1, 16, at=64)
            b = placed(vb)
            kernel("one", x, b)
            alias = b  # noqa: F841
            j = view(first, 2, 16, at=0)
            second = tensor(2, 16)
            vc = view(second, 1, 16, at=64)
            c = placed(vc)
            kernel("sum", j, c)
            vd = view(second, 1, 16, at=0)
            d = placed(vd)
            kernel("sum", j, d)
            return view(second, 2, 16, at=0)

    assert_becomes(PlaceJoins(), Before, After)


def test_without_joins_nothing_changes() -> None:
    @I.ir_module
    class Before:
        @R.function(pure=False)
        def main(x: R.Tensor((1, 16), "float32")):
            y = tensor(1, 16)
            kernel("one", x, y)
            return y

    assert_becomes(PlaceJoins(), Before, Before)
