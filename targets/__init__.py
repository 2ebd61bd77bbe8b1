"""The devices that networks are compiled for; a new one is one entry of `DEVICES`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

from tvmlcnn import plugins
from tvmlcnn.errors import UserError, did_you_mean

from .arm import RPI2, RPI3, RPI4, RPI5
from .arm_others import ANDROID_ARM64, GRAVITON3, ORANGEPI5, RPI_ZERO2
from .core import Arithmetic, Core, MultiplyAdd
from .costs import Costs
from .cuda_native import NAME as CUDA_NATIVE
from .cuda_native import cuda_native
from .device import Cpu, Device
from .element import (
    BFLOAT16,
    CODES,
    ELEMENT_TYPES,
    FLOAT16,
    FLOAT32,
    INT8,
    INT16,
    NARROW,
    TF32,
    UINT8,
    ElementType,
)
from .gpu import Gpu, TensorCores
from .jetson import (
    JETSON_AGX_ORIN,
    JETSON_NANO,
    JETSON_ORIN_NANO,
    JETSON_ORIN_NX,
    JETSON_XAVIER_NX,
)
from .nvidia import A10, A100, CUDA, H100, L4, T4
from .occupancy import resident_blocks
from .tvm_target import from_tvm
from .weight_bounds import BYTES, IN_PAIRS, LARGEST_SUM, WeightBounds
from .x86 import X86, native

__all__ = [
    "ALIASES",
    "AT_HAND",
    "BFLOAT16",
    "BYTES",
    "CODES",
    "CUDA_NATIVE",
    "DEVICES",
    "ELEMENT_TYPES",
    "FLOAT16",
    "FLOAT32",
    "INT8",
    "INT16",
    "IN_PAIRS",
    "LARGEST_SUM",
    "NARROW",
    "TF32",
    "UINT8",
    "Arithmetic",
    "Core",
    "Costs",
    "Cpu",
    "Device",
    "ElementType",
    "Gpu",
    "MultiplyAdd",
    "TensorCores",
    "WeightBounds",
    "devices",
    "records_name",
    "resident_blocks",
    "resolve",
]

DEVICES: dict[str, Device] = {
    device.name: device
    for device in (
        *(X86, RPI2, RPI3, RPI4, RPI5, RPI_ZERO2),
        *(ORANGEPI5, ANDROID_ARM64, GRAVITON3),
        *(CUDA, T4, A100, A10, L4, H100),
        *(JETSON_NANO, JETSON_XAVIER_NX, JETSON_ORIN_NANO, JETSON_ORIN_NX, JETSON_AGX_ORIN),
    )
}
ALIASES = {"arm": "rpi4"}
AT_HAND: dict[str, tuple[str, Callable[[], Device]]] = {
    "native": ("the machine at hand", native),
    CUDA_NATIVE: ("the NVIDIA GPU at hand", cuda_native),
}
"""Names of what is here, with what they stand for and how it is found out."""
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")  # it becomes a part of files' names


def devices() -> Mapping[str, Device]:
    """Return all devices by name: ours, then those of other packages.

    A package adds its own by an entry point that names a `Cpu` or `Gpu`, or several of them::

        [project.entry-points."tvmlcnn.targets"]
        myboards = "myboards:BOARDS"

    Raises
    ------
    UserError
        If another package's entry point cannot be loaded, names something else than devices, or
        a device whose name is taken or is none for a file.
    """
    found = dict(DEVICES)
    for point, loaded in plugins.load(plugins.TARGETS):
        several = isinstance(loaded, Iterable) and not isinstance(loaded, str | Mapping)
        for device in loaded if several else [loaded]:
            if not isinstance(device, Cpu | Gpu):
                raise plugins.unfit(point, f"names {device!r:.60}, which is no Cpu or Gpu")
            if not _NAME.fullmatch(device.name):
                raise plugins.unfit(point, f"calls a target {device.name!r}, which no file can be")
            if device.name in {*found, *ALIASES, *AT_HAND}:
                raise plugins.unfit(point, f"adds the target {device.name!r}, which exists already")
            found[device.name] = device
    return found


def resolve(target: str | dict[str, Any]) -> Device:
    """Return the device of a name, an alias, or TVM's own description.

    Parameters
    ----------
    target : str or dict
        A name of `devices`, ``"arm"``, ``"native"`` or ``"cuda-native"`` for what is at hand, or a
        TVM target as a JSON object (or its text).

    Raises
    ------
    UserError
        If there is no such name (the nearest are offered), nothing of that kind at hand, or the
        JSON is no target for a machine that a library can be linked for.
    """
    if isinstance(target, dict):
        return from_tvm(target)
    if target.lstrip().startswith("{"):
        try:
            return from_tvm(json.loads(target))
        except json.JSONDecodeError as error:
            raise UserError(f"the target is no JSON: {error}") from error
    name = ALIASES.get(target, target)
    if name in AT_HAND:
        return AT_HAND[name][1]()
    found = devices()
    if name in found:
        # The device keeps the name that was asked for, so that the file is called after it.
        return replace(found[name], name=target)
    known = [*found, *ALIASES, *AT_HAND]
    raise UserError(
        f"no target {target!r}{did_you_mean(target, known)}; `tvmlcnn targets` lists them, "
        "or give TVM's JSON"
    )


def records_name(device: Device) -> str:
    """Return what records of tuning call a device, which is also the name of their folder.

    A device of the list keeps its name, whichever alias was asked for; a GPU with its architecture,
    as in ``"jetson-orin-nano-sm_87"``. The machine at hand and TVM's own targets are told by
    machine and processor, as in ``"x86_64-znver3"``.
    """
    name = ALIASES.get(device.name, device.name)
    if name in devices():
        return f"{name}-{device.processor}" if device.gpu_code else name
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{device.machine}-{device.processor or 'generic'}")
