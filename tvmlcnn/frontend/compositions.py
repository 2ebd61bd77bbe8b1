"""Operators that torch leaves whole though they are made of others, written in those."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch._decomp import decomposition_table

aten = torch.ops.aten


def _addmv(self: Tensor, mat: Tensor, vec: Tensor, *, beta: Any = 1, alpha: Any = 1) -> Tensor:
    return _weighted_sum(self, torch.matmul(mat, vec), beta, alpha)


def _addbmm(
    self: Tensor, batch1: Tensor, batch2: Tensor, *, beta: Any = 1, alpha: Any = 1
) -> Tensor:
    product = torch.bmm(batch1, batch2)
    return _weighted_sum(self, product.sum(0, dtype=product.dtype), beta, alpha)


def _weighted_sum(self: Tensor, product: Tensor, beta: Any, alpha: Any) -> Tensor:
    if not product.is_floating_point():
        beta, alpha = int(beta), int(alpha)
    product = product if alpha == 1 else product * alpha
    if beta == 0:  # what is added is not read, not even where it is no number
        return product
    return product + (self if beta == 1 else self * beta)


def _trilinear(
    i1: Tensor,
    i2: Tensor,
    i3: Tensor,
    expand1: Sequence[int],
    expand2: Sequence[int],
    expand3: Sequence[int],
    sumdim: Sequence[int],
    unroll_dim: int = 1,
) -> Tensor:
    for axis in sorted(expand1):
        i1 = i1.unsqueeze(axis)
    for axis in sorted(expand2):
        i2 = i2.unsqueeze(axis)
    for axis in sorted(expand3):
        i3 = i3.unsqueeze(axis)
    product = i1 * i2 * i3
    return product.sum(list(sumdim), dtype=product.dtype) if sumdim else product


def _var_mean(
    self: Tensor, dim: Any = None, *, correction: Any = None, keepdim: bool = False
) -> tuple[Tensor, Tensor]:
    axes = list(range(self.dim())) if dim is None or not len(dim) else list(dim)
    variance = torch.var(self, axes, correction=correction, keepdim=keepdim)
    return variance, torch.mean(self, axes, keepdim=keepdim)


def _dist(self: Tensor, other: Tensor, p: Any = 2) -> Tensor:
    return torch.linalg.vector_norm(self - other, p)


def _cdist(x1: Tensor, x2: Tensor, p: float, compute_mode: int | None = None) -> Tensor:
    return torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, dim=-1)


def _hypot(self: Tensor, other: Tensor) -> Tensor:
    """Return sqrt(x^2 + y^2), by the larger one, whose square may be too large."""
    left, right = torch.abs(self), torch.abs(other)
    large, small = torch.maximum(left, right), torch.minimum(left, right)
    ratio = torch.where((large == 0) | torch.isinf(large), 0.0, small / large)
    return large * torch.sqrt(1 + ratio * ratio)


def _erfc(self: Tensor) -> Tensor:
    return 1 - torch.erf(self)


def _angle(self: Tensor) -> Tensor:
    """Return the angle of a real number: pi below zero."""
    value = _floating(self)
    return torch.where(torch.isnan(value), value, torch.where(value < 0, math.pi, 0.0))


def _put(self: Tensor, index: Tensor, source: Tensor, accumulate: bool = False) -> Tensor:
    flat = self.reshape(-1).index_put((index.reshape(-1),), source.reshape(-1), accumulate)
    return flat.reshape(self.shape)


def _take(self: Tensor, index: Tensor) -> Tensor:
    return self.reshape(-1).index_select(0, index.reshape(-1)).reshape(index.shape)


def _unbind_copy(self: Tensor, dim: int = 0) -> list[Tensor]:
    return list(torch.unbind(self, dim))


def _exp2(self: Tensor) -> Tensor:
    return torch.pow(2.0, self)


def _ldexp(self: Tensor, other: Tensor) -> Tensor:
    return self * torch.pow(2.0, other)


def _signbit(self: Tensor) -> Tensor:
    """Tell what is below zero, negative zero among it; the sign of what is no number is lost."""
    if self.dtype == torch.bool:
        return torch.zeros_like(self)
    if not self.is_floating_point():
        return self < 0
    return (self < 0) | ((self == 0) & (1 / self < 0))


def _copysign(self: Tensor, other: Any) -> Tensor:
    magnitude = torch.abs(_floating(self.to(torch.result_type(self, other))))
    if not isinstance(other, Tensor):
        return -magnitude if math.copysign(1, other) < 0 else magnitude
    return torch.where(_signbit(other), -magnitude, magnitude)


def _fmax(self: Tensor, other: Tensor) -> Tensor:
    return _other_than_nan(torch.maximum, self, other)


def _fmin(self: Tensor, other: Tensor) -> Tensor:
    return _other_than_nan(torch.minimum, self, other)


def _other_than_nan(choose: Callable[..., Tensor], left: Tensor, right: Tensor) -> Tensor:
    chosen = choose(left, right)
    if not chosen.is_floating_point():
        return chosen
    return torch.where(torch.isnan(left), right, torch.where(torch.isnan(right), left, chosen))


def _sinh(self: Tensor) -> Tensor:
    """Return sinh(x); near zero by its series, where exponentials cancel each other."""
    self = _floating(self)
    square = self * self
    series = 1 + square / 6 * (1 + square / 20 * (1 + square / 42 * (1 + square / 72)))
    far = _half_exp(self) - _half_exp(-self)
    return torch.where(torch.abs(self) < 1, self * series, far)


def _cosh(self: Tensor) -> Tensor:
    self = _floating(self)
    return _half_exp(self) + _half_exp(-self)


def _floating(value: Tensor) -> Tensor:
    return value if value.is_floating_point() else value.to(torch.get_default_dtype())


def _half_exp(value: Tensor) -> Tensor:
    """Return exp(x) / 2, which is finite where the whole is not."""
    half = torch.exp(value * 0.5)
    return half * 0.5 * half


def _diagonal_scatter(
    self: Tensor, src: Tensor, offset: int = 0, dim1: int = 0, dim2: int = 1
) -> Tensor:
    places = _numbers(self).diagonal(offset, dim1, dim2)
    return _replaced(self, places, src)


def _as_strided_scatter(
    self: Tensor, src: Tensor, size: Any, stride: Any, storage_offset: Any = None
) -> Tensor:
    places = torch.as_strided(_numbers(self), size, stride, storage_offset)
    return _replaced(self, places, src)


def _numbers(like: Tensor) -> Tensor:
    return torch.arange(like.numel()).reshape(like.shape)


def _replaced(data: Tensor, places: Tensor, src: Tensor) -> Tensor:
    """Return a tensor with the elements at known places taken from another one."""
    count = data.numel()
    later = torch.arange(count, count + places.numel())
    table = torch.arange(count).index_put((places.reshape(-1),), later)
    both = torch.cat([data.reshape(-1), src.reshape(-1).to(data.dtype)])
    return both[table].reshape(data.shape)


def _linspace(start: Any, end: Any, steps: int, *, dtype: Any = None, **where: Any) -> Tensor:
    """Return numbers of even distances, from both ends; integers by way of float64."""
    element = dtype or torch.get_default_dtype()
    real = element if element.is_floating_point else torch.float64
    first, last = (
        (bound if isinstance(bound, Tensor) else torch.full((), bound)).to(element).to(real)
        for bound in (start, end)
    )
    if steps < 2:
        return first.to(element).expand(steps)
    place = torch.arange(steps, dtype=real)
    step = (last - first) / (steps - 1)
    upward, downward = first + step * place, last - step * (steps - 1 - place)
    return torch.where(torch.arange(steps) < steps // 2, upward, downward).to(element)


def _nonzero_static(self: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """Return the places of what is not zero, the first ones of them in their order."""
    if not self.dim() or not self.numel() or not size:
        return torch.full((size, self.dim()), fill_value)
    flat = self.reshape(-1).ne(0)
    count = flat.to(torch.int64).sum()
    _, order = torch.sort((~flat).to(torch.int32), stable=True)
    found = order[:size]
    found = torch.nn.functional.pad(found, (0, size - found.numel()))
    places: list[Tensor] = []
    for extent in reversed(self.shape):
        places.insert(0, found % extent)
        found = torch.div(found, extent, rounding_mode="floor")
    there = (torch.arange(size) < count).unsqueeze(1)
    return torch.where(there, torch.stack(places, 1), fill_value)


def _narrow_copy(self: Tensor, dim: int, start: int, length: int) -> Tensor:
    return torch.narrow(self, dim, start, length)


COMPOSITIONS: dict[torch._ops.OperatorBase, Callable[..., Any]] = {
    aten.addmv.default: _addmv,
    aten.addbmm.default: _addbmm,
    aten._trilinear.default: _trilinear,
    aten.var_mean.correction: _var_mean,
    aten.dist.default: _dist,
    aten._cdist_forward.default: _cdist,
    # torch's own, which it does not offer for a core operator
    aten.grid_sampler_2d.default: decomposition_table[aten.grid_sampler_2d.default],
    aten.exp2.default: _exp2,
    aten.hypot.default: _hypot,
    aten.erfc.default: _erfc,
    aten.angle.default: _angle,
    aten.put.default: _put,
    aten.take.default: _take,
    aten.unbind_copy.int: _unbind_copy,
    aten.ldexp.Tensor: _ldexp,
    aten.signbit.default: _signbit,
    aten.copysign.Tensor: _copysign,
    aten.copysign.Scalar: _copysign,
    aten.fmax.default: _fmax,
    aten.fmin.default: _fmin,
    aten.sinh.default: _sinh,
    aten.cosh.default: _cosh,
    aten.diagonal_scatter.default: _diagonal_scatter,
    aten.as_strided_scatter.default: _as_strided_scatter,
    aten.narrow_copy.default: _narrow_copy,
    **dict.fromkeys(
        [aten.linspace.Tensor_Tensor, aten.linspace.Tensor_Scalar, aten.linspace.Scalar_Tensor],
        _linspace,
    ),
    aten.nonzero_static.default: _nonzero_static,
}
"""What each operator is made of."""
