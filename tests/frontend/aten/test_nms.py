"""Non-maximum suppression, compiled, against what `tvmlcnn.detection` computes in torch."""

from __future__ import annotations

import pytest
import torch
from against_torch import compare
from boxes import boxes_and_scores

from tvmlcnn import detection
from tvmlcnn.errors import UserError
from tvmlcnn.frontend.importing import import_program


@pytest.mark.parametrize("size", [1, 10, 300])
def test_compiled(size: int) -> None:
    boxes, scores = boxes_and_scores(2, size)
    classes = torch.arange(2 * size).reshape(2, size) % 3
    kernels = compare(
        lambda b, s, c: (
            detection.nms(b, s, 0.4, 20),
            detection.batched_nms(b, s, c, 0.4, 40, 0.5),
            detection.nms(b[0], s[0], 0.4, 20),
        ),
        boxes,
        scores,
        classes,
    )
    assert "suppress" in kernels["rows"]


_library = torch.library.Library("torchvision", "FRAGMENT")
if not hasattr(torch.ops.torchvision, "nms"):  # else torchvision's own
    _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")

    @torch.library.register_fake("torchvision::nms", lib=_library)
    def _(dets: torch.Tensor, scores: torch.Tensor, iou_threshold: float) -> torch.Tensor:
        return dets.new_empty(torch.library.get_ctx().new_dynamic_size(), dtype=torch.int64)


def test_torchvision_s_own_is_refused() -> None:
    """It keeps as many boxes as there are, whatever is taken of them."""
    given = tuple(x.clone() for x in boxes_and_scores(10))
    program = torch.export.export(_First(), given, strict=False)
    with pytest.raises(UserError, match=r"torchvision\.nms.*tvmlcnn\.detection\.nms") as raised:
        import_program(program)
    assert "\n" not in str(raised.value)


class _First(torch.nn.Module):
    def forward(self, boxes: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        kept = torch.ops.torchvision.nms(boxes, scores, 0.5)
        return boxes[kept[:5]]
