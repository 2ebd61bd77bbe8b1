"""The devices that networks are compiled for; a new one is one entry of `DEVICES`."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

from tvmlcnn.errors import UserError, did_you_mean

from .arm import RPI2, RPI3, RPI4, RPI5
from .device import Device
from .nvidia import CUDA, JETSON_ORIN_NANO
from .x86 import X86, native, with_wide_vectors

__all__ = ["ALIASES", "DEVICES", "Device", "records_name", "resolve"]

DEVICES: dict[str, Device] = {
    device.name: device for device in (X86, RPI2, RPI3, RPI4, RPI5, CUDA, JETSON_ORIN_NANO)
}
ALIASES = {"arm": "rpi4"}
_MACHINES = {"x86_64": X86, "aarch64": RPI4, "armv7l": RPI2, "armv7a": RPI2, "arm": RPI2}


def resolve(target: str | dict[str, Any]) -> Device:
    """Return the device of a name, an alias, or TVM's own description.

    Parameters
    ----------
    target : str or dict
        A name of `DEVICES`, ``"arm"``, ``"native"`` for the machine at hand, or a TVM target as
        a JSON object (or its text).

    Raises
    ------
    UserError
        If there is no such name (the nearest are offered), or the JSON is no target for a machine
        that a library can be linked for.
    """
    if isinstance(target, dict):
        return _from_tvm(target)
    if target.lstrip().startswith("{"):
        try:
            return _from_tvm(json.loads(target))
        except json.JSONDecodeError as error:
            raise UserError(f"the target is no JSON: {error}") from error
    name = ALIASES.get(target, target)
    if name == "native":
        return native()
    if name in DEVICES:
        # The device keeps the name that was asked for, so that the file is called after it.
        return replace(DEVICES[name], name=target)
    known = [*DEVICES, *ALIASES, "native"]
    raise UserError(
        f"no target {target!r}{did_you_mean(target, known)}; `tvmlcnn targets` lists them, "
        "or give TVM's JSON"
    )


def records_name(device: Device) -> str:
    """Return what records of tuning call a device, which is also the name of their folder.

    A device of the list keeps its name, whichever alias was asked for; the machine at hand and
    TVM's own targets are told by machine and processor, as in ``"x86_64-znver3"``.
    """
    name = ALIASES.get(device.name, device.name)
    if name in DEVICES:
        return name
    processor = str(device.tvm.get("arch" if device.kind == "cuda" else "mcpu") or "generic")
    return re.sub(r"[^A-Za-z0-9._-]", "_", f"{device.machine}-{processor}")


def _from_tvm(description: dict[str, Any]) -> Device:
    """Return a device for a TVM target, with the figures of the nearest one we know."""
    import tvm

    try:
        full = dict(tvm.target.Target(description).export())
    except Exception as error:  # TVM raises many types here
        reason = str(error).strip().splitlines()[-1]
        raise UserError(
            f"TVM does not take the target {json.dumps(description)}: {reason}"
        ) from error
    full = json.loads(json.dumps(full, default=_plain))
    kind = full["kind"]
    if kind not in ("llvm", "cuda"):
        raise UserError(f"targets of kind {kind!r} are not supported; use llvm or cuda")
    if kind == "cuda" and "arch" not in description and "tag" not in description:
        raise UserError('a CUDA target needs its architecture: "arch": "sm_87"')
    host = full if kind == "llvm" else full.setdefault("host", dict(native().tvm))
    triple = host.get("mtriple") or native().tvm["mtriple"]
    parts = triple.split("-")
    if len(parts) == 3:
        # TVM takes "armv7l-linux-gnueabihf" for soft float; LLVM reads the four-part form right.
        parts.insert(1, "unknown")
    host["mtriple"] = "-".join(parts)
    if parts[0] not in _MACHINES or "linux" not in parts:
        raise UserError(
            f"no library can be linked for {host['mtriple']!r}; "
            "use Linux on x86_64, aarch64 or armv7l"
        )
    near = _MACHINES[parts[0]] if kind == "llvm" else CUDA
    if near is X86:
        features = tvm.get_global_func("target.llvm_get_cpu_features")(tvm.target.Target(host))
        near = with_wide_vectors(near) if "avx512f" in features else near
    return replace(
        near,
        name="custom",
        summary="a TVM target",
        tvm={key: full[key] for key in full if key not in ("keys", "tag")},
        machine=_MACHINES[parts[0]].machine,
        cores=int(host.get("num-cores") or near.cores),
        peak_gflops=None,
        bandwidth_gbs=None,
        gpu_code=(str(full["arch"]),) if kind == "cuda" else (),
        emulated_cpu=_emulated(str(host.get("mcpu"))) if kind == "llvm" else None,
    )


def _emulated(cpu: str) -> str:
    """Return the core to emulate: one that QEMU knows, or its core with every feature."""
    known = {device.emulated_cpu for device in DEVICES.values()}
    return cpu if cpu in known else "max"


def _plain(value: Any) -> Any:
    """Turn TVM's containers into JSON's."""
    return dict(value.items()) if hasattr(value, "items") else list(value)
