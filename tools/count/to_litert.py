"""Write ``program.pt2`` of a folder as ``model.tflite`` there: run by `litert`'s own Python.

LiteRT wants images with their channels last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import litert_torch
import torch


def main(folder: str) -> None:
    """Convert, in float32."""
    program = torch.export.load(Path(folder, "program.pt2"))
    module = program.module()
    (image,), _ = program.example_inputs
    if image.ndim == 4:
        module = litert_torch.to_channel_last_io(module, args=[0])
        image = image.permute(0, 2, 3, 1).contiguous()
    litert_torch.convert(module, (image,)).export(str(Path(folder, "model.tflite")))


if __name__ == "__main__":
    main(*sys.argv[1:])
