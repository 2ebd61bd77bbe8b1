"""Devices that TVM's own description of a target stands for."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from tvmlcnn.errors import UserError

from .arm import RPI2, RPI3, RPI4, RPI5
from .cuda_capabilities import gpu
from .device import Cpu, Device
from .nvidia import CUDA
from .x86 import X86, native, sixteen_bits, with_wide_vectors

_NEAREST = {"x86_64": X86, "aarch64": RPI4, "armv7l": RPI2, "armv7a": RPI2, "arm": RPI2}
"""The device whose figures are taken, by the first part of the triple."""
_EMULATED = {device.emulated_cpu for device in (RPI2, RPI3, RPI4, RPI5)}


def from_tvm(description: dict[str, Any]) -> Device:
    """Return a device for a TVM target, with the figures of the nearest one that is known.

    Parameters
    ----------
    description : dict
        As TVM's JSON has it.

    Raises
    ------
    UserError
        If TVM does not take it, or no library can be linked for its machine.
    """
    import tvm

    try:
        full = dict(tvm.target.Target(description).export())
    except Exception as error:  # TVM raises many types here
        reason = str(error).strip().splitlines()[-1]
        raise UserError(
            f"TVM does not take the target {json.dumps(description)}: {reason}"
        ) from error
    full = json.loads(json.dumps(full, default=_plain))
    if full["kind"] == "llvm":
        return _cpu(full)
    if full["kind"] == "cuda":
        if "arch" not in description and "tag" not in description:
            raise UserError('a CUDA target needs its architecture: "arch": "sm_87"')
        return _gpu(full)
    raise UserError(f"targets of kind {full['kind']!r} are not supported; use llvm or cuda")


def _cpu(full: dict[str, Any]) -> Device:
    import tvm

    near = _nearest(full)
    if near is X86:
        features = tvm.get_global_func("target.llvm_get_cpu_features")(tvm.target.Target(full))
        if "avx512f" in features:
            names = ("avx512bf16", "avx512fp16", "amx-bf16")
            sixteen = sixteen_bits(*(name in features for name in names))
            near = with_wide_vectors(near, "avx512vnni" in features, sixteen)
    cpu = str(full.get("mcpu"))
    return replace(
        near,
        name="custom",
        summary="a TVM target",
        tvm=_described(full),
        cores=int(full.get("num-cores") or near.cores),
        clock_ghz=None,
        bandwidth_gbs=None,
        # The core to emulate: one that QEMU knows, or its core with every feature.
        emulated_cpu=cpu if cpu in _EMULATED else "max",
    )


def _gpu(full: dict[str, Any]) -> Device:
    host = full.setdefault("host", dict(native().tvm))
    near = _nearest(host)
    arch = str(full["arch"])
    if (found := re.fullmatch(r"sm_(\d+)[af]?", arch)) is None:
        raise UserError(f"{arch!r} is no CUDA architecture; it is written like 'sm_87'")
    of_capability = gpu(
        "custom",
        "a TVM target",
        int(found[1]),
        host,
        machine=near.machine,
        cores=int(host.get("num-cores") or CUDA.cores),
        # Those of the GPU are not in TVM's description.
        multiprocessors=CUDA.multiprocessors,
        l2_bytes=CUDA.l2_bytes,
    )
    return replace(of_capability, tvm=_described(full), gpu_code=(arch,))


def _nearest(host: dict[str, Any]) -> Cpu:
    """Return the device of the nearest CPU; the host's triple gets the form that LLVM reads."""
    triple = host.get("mtriple") or native().tvm["mtriple"]
    parts = triple.split("-")
    if len(parts) == 3:
        # TVM takes "armv7l-linux-gnueabihf" for soft float; LLVM reads the four-part form right.
        parts.insert(1, "unknown")
    host["mtriple"] = "-".join(parts)
    if parts[0] not in _NEAREST or "linux" not in parts:
        raise UserError(
            f"no library can be linked for {host['mtriple']!r}; "
            "use Linux on x86_64, aarch64 or armv7l"
        )
    return _NEAREST[parts[0]]


def _described(full: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in full.items() if key not in ("keys", "tag")}


def _plain(value: Any) -> Any:
    """Turn TVM's containers into JSON's."""
    return dict(value.items()) if hasattr(value, "items") else list(value)
