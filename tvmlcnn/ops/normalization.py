"""Normalization in two passes: means first, then squared distances from them.

The mean of the squares less the square of the mean loses all digits that both have in common. Here
each sum is one of distances from an element of the same data, which are small where the data lie
far from zero (T. F. Chan, G. H. Golub and R. J. LeVeque, "Algorithms for Computing the Sample
Variance", 1983), and long sums are made in levels, so that errors do not add up.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from tvm import te, tirx
from tvm.ir import Expr

from .levels import in_levels, within
from .reduction import of_rows, unraveled


def normalize_rows(
    data: te.Tensor,
    gamma: te.Tensor,
    beta: te.Tensor,
    *,
    lead: int,
    groups: int,
    epsilon: float,
    wide: int,
) -> te.Tensor:
    """Return data normalized over what lies together in memory.

    Parameters
    ----------
    data : te.Tensor
        Shape (outer axes, inner axes).
    gamma, beta : te.Tensor
        Of the shape of the inner axes; with ``groups`` by channel, of the shape (C,).
    lead : int
        How many outer axes there are.
    groups : int
        Groups of channels, of which the first inner axis has ``C / groups`` each: data then have
        the shape (outer axes, C, ...). 0 for none.
    epsilon : float
    wide : int
        Sums side by side.
    """
    shape = [int(n) for n in data.shape]
    outer, inner = shape[:lead], shape[lead:]
    if groups:
        outer, inner = [*outer, groups], [inner[0] // groups, *inner[1:]]
    count = math.prod(inner)
    one = tirx.const(1.0, data.dtype)

    def element(row: Sequence[Expr], k: Expr | int) -> Expr:
        place = unraveled(k, inner)
        if groups:
            place[0] = row[-1] * inner[0] + place[0]
            row = row[:-1]
        return data(*row, *place)

    def near(row: Sequence[Expr], k: Expr | int) -> Expr:
        return element(row, k) - element(row, 0)

    def mean(name: str, term: Callable[[Sequence[Expr], Expr], Expr]) -> te.Tensor:
        return of_rows(name, "sum", term, outer, count, wide, 1.0 / count)

    center = mean("center", near)

    def squared(row: Sequence[Expr], k: Expr) -> Expr:
        distance = near(row, k) - center(*row)
        return distance * distance

    variance = mean("variance", squared)
    scale = te.compute(
        outer,
        lambda *row: one / tirx.sqrt(variance(*row) + tirx.const(epsilon, data.dtype)),
        name="scale",
    )

    def output(*place: tirx.Var) -> Expr:
        row, beside = list(place[:lead]), list(place[lead:])
        if groups:
            row.append(place[lead] // inner[0])
            beside = [place[lead]]
        distance = data(*place) - element(row, 0) - center(*row)
        return distance * (scale(*row) * gamma(*beside)) + beta(*beside)

    return te.compute(shape, output, name="normalized")


def normalize_channels(
    data: te.Tensor,
    gamma: te.Tensor,
    beta: te.Tensor,
    *,
    lead: int,
    groups: int,
    epsilon: float,
) -> te.Tensor:
    """Return channels-last data normalized over pixels, in groups of channels.

    Parameters
    ----------
    data : te.Tensor
        Shape (outer axes, axes of pixels, C).
    gamma, beta : te.Tensor
        Shape (C,).
    lead : int
        How many outer axes there are.
    groups : int
        That C is split into.
    epsilon : float
    """
    shape = [int(n) for n in data.shape]
    outer, inner, channels = shape[:lead], shape[lead:-1], shape[-1]
    pixels, each = math.prod(inner), channels // groups
    one = tirx.const(1.0, data.dtype)

    def first(row: Sequence[Expr], channel: Expr) -> Expr:
        return data(*row, *(0 for _ in inner), channel)

    def near(row: Sequence[Expr], pixel: Expr, channel: Expr) -> Expr:
        return data(*row, *unraveled(pixel, inner), channel) - first(row, channel)

    def total(name: str, term: Callable[[Sequence[Expr], Expr, Expr], Expr]) -> te.Tensor:
        def at(row: Sequence[Expr], pixel: Expr, channel: Sequence[Expr]) -> Expr:
            return within(term(row, pixel, channel[0]), pixel, pixels)

        return in_levels(name, f"{name}_channels", te.sum, at, outer, pixels, [channels])

    def by_group(name: str, term: Callable[[Sequence[Expr], Expr], Expr]) -> te.Tensor:
        member = te.reduce_axis((0, each), "member")
        return te.compute(
            (*outer, groups),
            lambda *place: te.sum(term(place[:-1], place[-1] * each + member), axis=member),
            name=name,
        )

    per_pixel = tirx.const(1.0 / pixels, data.dtype)
    per_element = tirx.const(1.0 / (pixels * each), data.dtype)
    own = total("center", near)
    if each > 1:
        # Each channel's mean is known from its first element; those are compared in a group.
        def apart(row: Sequence[Expr], channel: Expr) -> Expr:
            return first(row, channel) - first(row, channel // each * each)

        shared = by_group(
            "center_groups",
            lambda row, channel: apart(row, channel) + own(*row, channel) * per_pixel,
        )
        center = te.compute(
            (*outer, channels),
            lambda *place: (
                shared(*place[:-1], place[-1] // each) * tirx.const(1.0 / each, data.dtype)
                - apart(place[:-1], place[-1])
            ),
            name="center",
        )
    else:
        center = te.compute(
            (*outer, channels), lambda *place: own(*place) * per_pixel, name="center"
        )

    def squared(row: Sequence[Expr], pixel: Expr, channel: Expr) -> Expr:
        distance = near(row, pixel, channel) - center(*row, channel)
        return distance * distance

    spread = total("variance", squared)
    variance = by_group("variance_groups", lambda row, channel: spread(*row, channel))
    inverse = te.compute(
        (*outer, groups),
        lambda *place: (
            one / tirx.sqrt(variance(*place) * per_element + tirx.const(epsilon, data.dtype))
        ),
        name="inverse",
    )
    scale = te.compute(
        (*outer, channels),
        lambda *place: gamma(place[-1]) * inverse(*place[:-1], place[-1] // each),
        name="scale",
    )

    def output(*place: tirx.Var) -> Expr:
        row, channel = place[:lead], place[-1]
        distance = data(*place) - first(row, channel) - center(*row, channel)
        return distance * scale(*row, channel) + beta(channel)

    return te.compute(shape, output, name="normalized")
