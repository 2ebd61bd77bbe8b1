"""Write ``program.pt2`` of a folder as ``DTYPE.tflite`` there: run by `litert`'s own Python.

LiteRT wants images with their channels last.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np


def main(folder: str, dtype: str) -> None:
    """Convert, and for int8 quantize."""
    plain = Path(folder, "float32.tflite")
    if not plain.exists():
        _convert(Path(folder, "program.pt2"), plain)
    if dtype == "int8":
        _quantize(plain, Path(folder, "int8.tflite"))


def _convert(source: Path, destination: Path) -> None:
    import litert_torch
    import torch

    program = torch.export.load(source)
    module = program.module()
    (image,), _ = program.example_inputs
    if image.ndim == 4:
        module = litert_torch.to_channel_last_io(module, args=[0])
        image = image.permute(0, 2, 3, 1).contiguous()
    litert_torch.convert(module, (image,)).export(str(destination))


def _quantize(source: Path, destination: Path) -> None:
    """Make weights and what layers hand on bytes, by LiteRT's own quantizer, for noise."""
    from ai_edge_litert.interpreter import Interpreter
    from ai_edge_quantizer import quantizer, recipe

    interpreter = Interpreter(str(source))
    (key,) = signatures = interpreter.get_signature_list()
    (name,) = signatures[key]["inputs"]
    shape = interpreter.get_input_details()[0]["shape"]
    noise = np.random.default_rng(0).standard_normal((4, *shape)).astype(np.float32)
    work = quantizer.Quantizer(str(source))
    work.load_quantization_recipe(recipe.static_wi8_ai8())
    ranges = work.calibrate({key: [{name: each} for each in noise]})
    work.quantize(ranges).export_model(str(destination))


if __name__ == "__main__":
    main(*sys.argv[1:])
