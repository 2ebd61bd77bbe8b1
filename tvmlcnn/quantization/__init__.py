"""Eight bits: from a module in float32 to a program of integers, by torchao's PT2E."""

from . import torchao_silently  # noqa: F401  # before what imports torchao
from .calibration import Calibration
from .quantize import Quantized, quantized

__all__ = ["Calibration", "Quantized", "quantized"]
