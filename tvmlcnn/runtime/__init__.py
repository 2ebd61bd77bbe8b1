"""What runs on the device: reading, checking, loading and calling a compiled model.

Nothing here imports torch, the Python package ``tvm`` or the compiler.
"""

from .manifest import Manifest, TensorSpec, read_manifest
from .model import Model, load

__all__ = ["Manifest", "Model", "TensorSpec", "load", "read_manifest"]
