"""Element-wise operators of permuted tensors.

They do not care about the order of axes, so that they compute their operands as these lie: in the
order of axes and channels that one of them has, to which the others are brought.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from tvm import relax

from .constants import constant, is_call_of, is_tensor, value_of
from .permuted import NHWC, Permuted, placed_like

if TYPE_CHECKING:
    from .rewriter import Rewriter


def elementwise(rewriter: Rewriter, call: relax.Call) -> Permuted | None:
    """Emit an element-wise operator in the order of its first permuted operand.

    Return None where no operand is permuted, or one has more axes than that one.
    """
    operands = [rewriter.value(arg) for arg in call.args]
    if (before := _before_view(rewriter, call, operands)) is not None:
        return before
    order = next((v.order for v in operands if not v.plain), None)
    if order is None or any(len(v.order) > len(order) for v in operands):
        return None
    like = _common_places(call, operands)
    if like is None:
        operands = [rewriter.compact(v) for v in operands]
    else:
        order = like.order
    rank, args = len(order), []
    for old, operand in zip(call.args, operands, strict=True):
        size = len(operand.order) if is_tensor(old) else 0
        if not size:
            args.append(operand.expr)
            continue
        if like is not None and not operand.stored_like(like) and _is_one_pixel(old):
            operand = placed_like(rewriter.builder, operand, like)
        if operand.places is not None:
            args.append(operand.expr)
            continue
        # Broadcasting aligns axes from the right, which only holds in the old order.
        if size < rank:
            shape = [1] * (rank - size) + [int(n) for n in old.ty.shape]
            operand = Permuted(_reshaped(rewriter, operand, shape), tuple(range(rank)))
        expr = rewriter.ordered(operand, order)
        array = value_of(expr)
        args.append(expr if array is None or like is None else constant(like.spread(array)))
    new = rewriter.builder.emit(relax.Call(call.op, args, call.attrs))
    if like is None:
        return Permuted(new, order)
    return Permuted(new, order, like.places, like.planes)


def _before_view(
    rewriter: Rewriter, call: relax.Call, operands: Sequence[Permuted]
) -> Permuted | None:
    """Emit an operator of numbers and views before the views that it would follow.

    A convolution whose result is flattened to tokens, and then activated, so activates it.
    """
    args, views = [], []
    for old, operand in zip(call.args, operands, strict=True):
        view = _view(rewriter.builder, operand)
        if view is not None:
            views.append((operand, view))
        elif not _is_number(old):
            return None
        args.append(operand.expr if view is None else view.args[0])
    forms = {
        (tuple(int(n) for n in view.args[0].ty.shape), operand.shape, operand.order)
        for operand, view in views
    }
    if len(forms) != 1 or not all(o.stored_like(views[0][0]) for o, _ in views):
        return None
    result = rewriter.builder.emit(relax.Call(call.op, args, call.attrs, call.ty_args))
    data, _ = views[0]
    return replace(data, expr=rewriter.builder.emit(relax.op.reshape(result, data.shape)))


def _view(builder: relax.BlockBuilder, value: Permuted) -> relax.Call | None:
    """Return the reshape that a value is bound to, if it is."""
    bound = builder.lookup_binding(value.expr) if isinstance(value.expr, relax.Var) else None
    return bound if is_call_of(bound, "relax.reshape") else None


def _common_places(call: relax.Call, operands: Sequence[Permuted]) -> Permuted | None:
    """Return an operand that has its channels where all others have theirs, if there is one."""
    placed = [v for v in operands if v.places is not None]
    like = max(placed, key=lambda v: math.prod(v.shape[1:3]), default=None)
    if like is None or like.order != NHWC:
        return None
    for old, operand in zip(call.args, operands, strict=True):
        if not is_tensor(old):
            continue
        shape = [int(n) for n in old.ty.shape]
        batch = shape[0] if len(shape) == 4 else 1
        channels = shape[-3] if len(shape) > 2 else 1
        # The outermost axis holds the planes too, which nothing is broadcast along.
        array = value_of(operand.expr)
        if like.planes > 1 and batch != like.batch and channels > 1 and array is None:
            return None
        if operand.stored_like(like):
            continue
        # Channels at one place may each have another number.
        if channels > 1 and like.repeats:
            return None
        if _is_one_pixel(old) and array is None and channels == like.located().size:
            continue
        if operand.places is not None or channels > len(like.located()):
            return None
        if (array is None and channels > 1) or (batch > 1 and like.planes > 1):
            return None
        if array is not None and batch > 1:
            return None
    return like


def _reshaped(rewriter: Rewriter, value: Permuted, shape: Sequence[int]) -> relax.Expr:
    array = value_of(value.expr)
    if array is not None and value.plain:
        return constant(array.reshape(shape))
    return rewriter.builder.emit(relax.op.reshape(rewriter.ordered(value), shape))


def _is_one_pixel(expr: relax.Expr) -> bool:
    """Tell whether an operand has a number for each of several channels, the same on a map."""
    shape = [int(n) for n in expr.ty.shape]
    return len(shape) == 4 and shape[1] > 1 and shape[2:] == [1, 1] and value_of(expr) is None


def _is_number(expr: relax.Expr) -> bool:
    """Tell whether an operand is no tensor, or a constant without axes."""
    array = value_of(expr)
    return not is_tensor(expr) or (array is not None and not array.ndim)
