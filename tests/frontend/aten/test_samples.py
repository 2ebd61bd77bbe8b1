"""Each converter against torch, on the samples that torch tests its own operators with.

A few samples an operator are compiled always, in some tens of networks; all of them with
``-m slow``.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from together import Case, faults
from torch_samples import SAMPLED, cases, operators

from tvmlcnn.frontend import importing
from tvmlcnn.frontend.aten import CONVERTERS, Converter
from tvmlcnn.frontend.refusals import REFUSED

# What indices, pixels and masks are made of: each operator in one of them, in turns.
_INTEGERS = (torch.int64, torch.uint8, torch.bool)
_TYPES = (torch.float32, torch.int32, *_INTEGERS)
_EVERY = 10**6

_SHIFTED = ("Scalar_Tensor", "Tensor_Scalar")
_SIZED = [
    f"{name}{rank}d"
    for name in ("upsample_nearest", "_upsample_nearest_exact")
    for rank in (1, 2, 3)
]

_WITHOUT_SAMPLE: dict[str, str] = {
    **dict.fromkeys(
        [name for name in CONVERTERS if name.startswith("quantized_decomposed.")],
        "in test_quantization, since no operator of ATen's is made of them",
    ),
    "tvmlcnn.centred.default": "in test_frames, since what takes bytes is quantized with it",
    **dict.fromkeys(
        [
            *(f"{name}.default" for name in _SIZED),
            *(f"{name}.vec" for name in _SIZED if not name.endswith("1d")),
            *(f"upsample_{name}.default" for name in ("linear1d", "bilinear2d", "bicubic2d")),
            "upsample_trilinear3d.default",
            "_upsample_bilinear2d_aa.default",
            "_upsample_bicubic2d_aa.default",
            "_upsample_bicubic2d_aa.vec",
        ],
        "in test_resizing, in the form that torch.export gives it",
    ),
    **dict.fromkeys(
        ["reflection_pad2d.default", "reflection_pad3d.default", "replication_pad3d.default"]
        + ["_pad_circular.default"],
        "in test_padding",
    ),
    **dict.fromkeys(
        ["_adaptive_avg_pool2d.default", "_adaptive_avg_pool3d.default"]
        + ["adaptive_avg_pool3d.default", *(f"max_pool{rank}d.default" for rank in (1, 2, 3))],
        "in test_aten_pooling, in the form that torch.export gives it",
    ),
    **dict.fromkeys(
        ["_native_batch_norm_legit.default", "_native_batch_norm_legit.no_stats"]
        + ["_native_batch_norm_legit_no_training.default"],
        "in test_aten_normalization",
    ),
    **dict.fromkeys(
        [f"bitwise_{name}.Scalar" for name in ("and", "or", "xor")]
        + [f"bitwise_{side}_shift.{form}" for side in ("left", "right") for form in _SHIFTED]
        + ["div.Scalar_mode", "fmod.Scalar", "var.dim", "sort.stable", "scatter.value"]
        + ["scatter.reduce", "scatter.value_reduce", "bucketize.Scalar", "searchsorted.Scalar"]
        + ["searchsorted.Tensor", "median.dim", "prod.dim_int", "_prelu_kernel.default"],
        "another form of an operator that has one, or later among its samples",
    ),
    **dict.fromkeys(["im2col.default", "col2im.default"], "in test_windows"),
    **dict.fromkeys(
        ["grid_sampler_3d.default", "torchvision.roi_align.default"], "in test_sampling"
    ),
    "lift_fresh_copy.default": "of constants alone, which torch computes",
    "tvmlcnn.nms.default": "none of torch's operators",
}
"""Converters that no sample leads to, and why."""


class _Asked(dict[str, Converter]):
    """A table that remembers what it was asked for."""

    def __init__(self, table: dict[str, Converter]) -> None:
        super().__init__(table)
        self.names: set[str] = set()

    def get(self, name: str, default: object = None) -> object:  # type: ignore[override]
        self.names.add(name)
        return super().get(name, default)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def asked() -> Iterator[_Asked]:
    with pytest.MonkeyPatch.context() as patch:
        table = _Asked(CONVERTERS)
        patch.setattr(importing, "CONVERTERS", table)
        yield table


def _few() -> list[Case]:
    """Return a sample of floats and one of integers an operator."""
    chosen: list[Case] = []
    for number, (name, info) in enumerate(operators().items()):
        chosen += cases(name, info, torch.float32, 1)
        chosen += cases(name, info, _INTEGERS[number % len(_INTEGERS)], 1)
    return chosen


def _all() -> list[Case]:
    return [
        case
        for name, info in operators().items()
        for dtype in _TYPES
        for case in cases(name, info, dtype, _EVERY)
    ]


def _check(chosen: list[Case], record_property: pytest.RecordProperty) -> None:
    found = faults(chosen)
    wrong = {name: fault for name, fault in found.items() if not _is_refused(fault)}
    sampled = {case.name.partition("/")[0] for case in chosen}
    record_property(SAMPLED, (len(sampled), len(chosen) - len(found)))
    assert not wrong, "\n".join(f"{name}: {fault}" for name, fault in wrong.items())


def _is_refused(fault: str) -> bool:
    """Tell whether a sample is refused for a reason that holds whatever kernels there are."""
    reasons = [*REFUSED.values(), "depends on the input's values", "in training mode"]
    reasons += ["convert them to float first", "it is random with a dropout_p"]
    return fault.startswith("refused:") and any(reason in fault for reason in reasons)


@pytest.mark.long
def test_a_few_samples_of_each_operator(
    asked: _Asked, record_property: pytest.RecordProperty
) -> None:
    _check(_few(), record_property)


@pytest.mark.long
def test_each_converter_has_a_sample(asked: _Asked) -> None:
    """Runs after the samples, in their process."""
    if not asked.names:
        pytest.skip("no sample ran")
    without = set(CONVERTERS) - asked.names
    assert without == set(_WITHOUT_SAMPLE)


@pytest.mark.slow
def test_all_samples(record_property: pytest.RecordProperty) -> None:
    _check(_all(), record_property)
