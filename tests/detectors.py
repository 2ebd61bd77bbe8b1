"""Detectors as people deploy them, in small: backbone, three levels, decoding and suppression."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional as F

from tvmlcnn.detection import batched_nms

Detections = dict[str, torch.Tensor]

_CLASSES = 5
_CANDIDATES, _MOST = 100, 100


def _conv(
    i: int, o: int, kernel: int, stride: int, act: type[nn.Module], groups: int = 1
) -> nn.Sequential:
    conv = nn.Conv2d(i, o, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(o), act())


def _centres(height: int, width: int, stride: int, offset: float) -> torch.Tensor:
    """Return x and y of each place of a level, in pixels of the image: shape (h * w, 2)."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return (torch.stack((x, y), -1).reshape(-1, 2) + offset) * stride


def _best(boxes: torch.Tensor, scores: torch.Tensor, iou: float, least: float) -> Detections:
    """Return the best boxes of (n, places, 4), each of the class that it is most likely of."""
    score, label = scores.max(-1)
    score, at = score.topk(_CANDIDATES, dim=1)
    boxes = boxes.gather(1, at.unsqueeze(-1).expand(-1, -1, 4))
    label = label.gather(1, at)
    kept, count = batched_nms(boxes, score, label, iou, _MOST, least)
    place = kept.clamp(min=0)
    return {
        "boxes": boxes.gather(1, place.unsqueeze(-1).expand(-1, -1, 4)),
        "scores": score.gather(1, place),
        "classes": label.gather(1, place),
        "count": count,
    }


class _Unit(nn.Module):
    """ShuffleNet's unit, of which NanoDet's backbone is made."""

    def __init__(self, i: int, o: int, stride: int) -> None:
        super().__init__()
        half = o // 2
        self.stride = stride
        if stride == 2:
            self.left = nn.Sequential(
                _conv(i, i, 3, 2, nn.Identity, i), _conv(i, half, 1, 1, nn.LeakyReLU)
            )
        inner = i if stride == 2 else half
        self.right = nn.Sequential(
            _conv(inner, half, 1, 1, nn.LeakyReLU),
            _conv(half, half, 3, stride, nn.Identity, half),
            _conv(half, half, 1, 1, nn.LeakyReLU),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        left, right = (x, x) if self.stride == 2 else x.chunk(2, 1)
        if self.stride == 2:
            left = self.left(left)
        return F.channel_shuffle(torch.cat((left, self.right(right)), 1), 2)


class NanoDet(nn.Module):
    """Anchor-free, with distances to the four sides as distributions over bins.

    R. Lyu: NanoDet, after X. Li et al.: Generalized Focal Loss, NeurIPS 2020.
    """

    def __init__(self, bins: int = 7) -> None:
        super().__init__()
        self.stem = nn.Sequential(_conv(3, 16, 3, 2, nn.LeakyReLU), nn.MaxPool2d(3, 2, 1))
        widths = (16, 32, 48, 64)
        self.stages = nn.ModuleList(
            nn.Sequential(_Unit(i, o, 2), _Unit(o, o, 1)) for i, o in pairwise(widths)
        )
        self.lateral = nn.ModuleList(nn.Conv2d(o, 32, 1) for o in widths[1:])
        self.towers = nn.ModuleList(_conv(32, 32, 3, 1, nn.LeakyReLU, 32) for _ in range(3))
        self.heads = nn.ModuleList(nn.Conv2d(32, _CLASSES + 4 * (bins + 1), 1) for _ in range(3))
        self.register_buffer("bins", torch.arange(bins + 1, dtype=torch.float32))

    def forward(self, x: torch.Tensor) -> Detections:
        maps, height, width = [], x.shape[2], x.shape[3]
        x = self.stem(x)
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        levels = [conv(m) for conv, m in zip(self.lateral, maps, strict=True)]
        for low, high in ((1, 2), (0, 1)):
            size = levels[low].shape[-2:]
            up = F.interpolate(levels[high], size, mode="bilinear", align_corners=False)
            levels[low] = levels[low] + up
        boxes, scores = [], []
        for level, tower, head, stride in zip(
            levels, self.towers, self.heads, (8, 16, 32), strict=True
        ):
            y = head(tower(level)).flatten(2).transpose(1, 2)
            score, box = y.split([_CLASSES, y.shape[2] - _CLASSES], 2)
            sides = box.unflatten(2, (4, -1)).softmax(-1) @ self.bins * stride
            centre = _centres(*level.shape[-2:], stride, 0.0)
            boxes.append(torch.cat((centre - sides[..., :2], centre + sides[..., 2:]), -1))
            scores.append(score.sigmoid())
        corners = torch.cat(boxes, 1)
        limits = torch.tensor([width, height, width, height])
        corners = torch.minimum(corners.clamp(min=0), limits)
        return _best(corners, torch.cat(scores, 1), 0.6, 0.05)


class Yolo(nn.Module):
    """Anchor-free, with centre and size of a box, and whether there is one.

    Z. Ge et al.: YOLOX: Exceeding YOLO Series in 2021, arXiv:2107.08430.
    """

    def __init__(self) -> None:
        super().__init__()
        widths = (16, 24, 32, 48, 64)
        self.stem = _conv(12, 16, 3, 1, nn.SiLU)
        self.stages = nn.ModuleList(_conv(i, o, 3, 2, nn.SiLU) for i, o in pairwise(widths))
        self.lateral = nn.ModuleList(_conv(o, 32, 1, 1, nn.SiLU) for o in widths[2:])
        self.heads = nn.ModuleList(nn.Conv2d(32, 5 + _CLASSES, 1) for _ in range(3))

    def forward(self, x: torch.Tensor) -> Detections:
        parts = [x[..., i::2, j::2] for j in (0, 1) for i in (0, 1)]
        x = self.stem(torch.cat(parts, 1))
        maps = []
        for stage in self.stages:
            x = stage(x)
            maps.append(x)
        levels = [conv(m) for conv, m in zip(self.lateral, maps[1:], strict=True)]
        levels[1] = levels[1] + F.interpolate(levels[2], scale_factor=2.0)
        levels[0] = levels[0] + F.interpolate(levels[1], scale_factor=2.0)
        found = []
        for level, head, stride in zip(levels, self.heads, (8, 16, 32), strict=True):
            y = head(level).permute(0, 2, 3, 1).flatten(1, 2)
            y[..., :2] = y[..., :2] * stride + _centres(*level.shape[-2:], stride, 0.0)
            y[..., 2:4] = y[..., 2:4].exp() * (4 * stride)
            y[..., 4:] = y[..., 4:].sigmoid()
            found.append(y)
        y = torch.cat(found, 1)
        corners = torch.cat((y[..., :2] - y[..., 2:4] / 2, y[..., :2] + y[..., 2:4] / 2), -1)
        return _best(corners, y[..., 5:] * y[..., 4:5], 0.45, 0.1)


def nanodet() -> nn.Module:
    """Return a NanoDet with random weights."""
    return _random(NanoDet)


def yolo() -> nn.Module:
    """Return a YOLO with random weights."""
    return _random(Yolo)


def _random(kind: type[nn.Module]) -> nn.Module:
    """Return a detector whose scores and boxes vary as a trained one's do."""
    torch.manual_seed(0)
    module = kind()
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.2)
            layer.running_var.uniform_(0.1, 0.4)
    return module.eval()
