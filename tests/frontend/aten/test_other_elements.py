"""Functions that vectors compute in float32, of other types of elements."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from against_torch import compare
from torch.nn import functional as F

from tvmlcnn.errors import UserError

FUNCTIONS = (torch.nn.functional.gelu, torch.erf, torch.log1p, torch.expm1, torch.tanh)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: str(function.__name__))
def test_other_elements(function: Callable[..., torch.Tensor]) -> None:
    x = torch.rand(3, 64, generator=torch.Generator().manual_seed(0)) * 2 - 0.5
    compare(function, x.double(), tolerance=1e-12)


def _in(dtype: torch.dtype) -> dict[str, Callable[[torch.Tensor], torch.Tensor]]:
    """Return what our rules are for in float32, in another type of elements."""

    def weight(*shape: int) -> torch.Tensor:
        values = torch.rand(shape, generator=torch.Generator().manual_seed(1))
        return (values * 9 - 4).to(dtype)

    point, wide, square, bias = (
        weight(8, 4, 1, 1),
        weight(16, 4, 1, 1),
        weight(8, 4, 3, 3),
        weight(8),
    )
    deep, deeper, grouped = weight(4, 1, 3, 3), weight(16, 1, 3, 3), weight(8, 2, 3, 3)
    line, volume, again = weight(8, 4, 3), weight(2, 1, 2, 3, 3), weight(8, 8, 1, 1)
    return {
        "pointwise": lambda x: F.conv2d(x, point),
        "windows": lambda x: F.relu(F.conv2d(x, square, bias, padding=1, stride=2)),
        "depthwise": lambda x: F.conv2d(x, deep, groups=4, padding=1) + x,
        "depthwise after pointwise": lambda x: F.conv2d(F.conv2d(x, wide), deeper, groups=16),
        "groups": lambda x: F.conv2d(x, grouped, groups=2, padding=2),
        "line": lambda x: F.conv1d(x[:, :, 0], line),
        "volume": lambda x: F.conv3d(x[:, None], volume),
        "joined": lambda x: torch.cat([F.conv2d(x, point), x], 1)[:, 2:9],
        "float32 around": lambda x: F.conv2d(
            F.conv2d(x.float(), point.float()).to(dtype), again
        ).float(),
    }


@pytest.mark.parametrize(
    ("name", "dtype"),
    [(name, torch.float64) for name in _in(torch.float64)]
    + [("windows", torch.int32), ("groups", torch.int64)],
)
def test_convolutions_of_other_elements(name: str, dtype: torch.dtype) -> None:
    x = torch.rand(2, 4, 9, 9, generator=torch.Generator().manual_seed(0)) * 8 - 4
    compare(_in(dtype)[name], x.to(dtype), tolerance=1e-6 if "float32" in name else 1e-12)


@pytest.mark.parametrize("rank", [1, 2, 3])
def test_transposed_convolutions_of_float64(rank: int) -> None:
    operator = (F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d)[rank - 1]
    generator = torch.Generator().manual_seed(0)
    weight = torch.rand(4, 3, *[3] * rank, generator=generator).double()
    x = torch.rand(2, 4, *[5] * rank, generator=generator).double()
    compare(lambda x: operator(x, weight, stride=2, output_padding=1), x, tolerance=1e-12)


def test_float16_is_not_computed() -> None:
    """It is taken as it is, moved and converted; sums of it would be other ones than torch's."""
    x = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(0))
    compare(lambda x: x.half().transpose(1, 2)[:, 1:].float(), x)
    compare(lambda x: torch.cat([x.half(), x.half()], 1), x)
    for function in (lambda x: x.half().sum(), lambda x: x.half() + 1, lambda x: x.half().max(1)):
        with pytest.raises(UserError, match=r"float16 is not computed as torch does; stay in"):
            compare(function, x)
