"""Eight bits: from a module in float32 to a program of integers, by torchao's PT2E."""

from . import torchao_silently  # noqa: F401  # before what imports torchao
from .calibration import Calibration, calibration
from .fidelity import Fidelity
from .network import Quantization, quantized_network
from .quantize import Quantized, quantized
from .training import after_training, prepared_for_training

__all__ = [
    "Calibration",
    "Fidelity",
    "Quantization",
    "Quantized",
    "after_training",
    "calibration",
    "prepared_for_training",
    "quantized",
    "quantized_network",
]
