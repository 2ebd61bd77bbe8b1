"""What the networks for CIFAR-10 share: its photos of 32x32 and their statistics."""

from __future__ import annotations

from typing import Any

from tvmlcnn.runtime.preprocessing import Preprocessing

# Keyword arguments of `register`.
CIFAR10: dict[str, Any] = {
    "input_shape": (1, 3, 32, 32),
    "preprocessing": Preprocessing(
        crop_ratio=1.0, mean=(0.4914, 0.4822, 0.4465), std=(0.2470, 0.2435, 0.2616)
    ),
    "labels": None,
}
