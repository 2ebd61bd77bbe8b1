"""The frameworks that a network is counted in besides tvmlcnn."""

from __future__ import annotations

import importlib.metadata
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from tools.foreign_packages import install_wheels
from tools.peers.compare import difference
from tools.peers.convert import UnavailableError, convert
from tools.peers.frameworks.onnx_file import onnx_file
from tools.peers.job import Job
from tools.peers.results import WRONG
from tvmlcnn import emulator
from tvmlcnn.analysis.counting import Core, Figures, counted, figures
from tvmlcnn.errors import UserError
from tvmlcnn.files import scratch

from . import litert
from .sysroots import sysroot


@dataclass(frozen=True)
class Peer:
    """One framework.

    Attributes
    ----------
    title : str
        As its makers write it.
    wheels : dict of str to tuple of str
        What is installed of it on each machine; the machines that it is counted on.
    file : callable
        Returns the file of a network that it reads, converted where that was not done.
    dtypes : tuple of str
        What it is counted in.
    """

    title: str
    wheels: dict[str, tuple[str, ...]]
    file: Callable[[Job, Path, str], Path]
    dtypes: tuple[str, ...] = ("float32",)


def _converted(name: str, job: Job, work: Path) -> Path:
    """Return the folder of a network that `tools.peers` converts."""
    folder = convert(job, [name], work)[name]
    if isinstance(folder, UnavailableError):
        raise folder
    return folder


def _onnx(job: Job, folder: Path) -> Path:
    return folder / "model.onnx" if job.dtype == "int8" else onnx_file(job, folder)


PEERS = {
    "onnxruntime": Peer(
        "ONNX Runtime",
        {"aarch64": ("onnxruntime",)},
        lambda job, work, dtype: _onnx(job, _converted("onnxruntime", job, work)),
        ("float32", "int8"),
    ),
    "ncnn": Peer(
        "ncnn",
        {"aarch64": ("ncnn",)},
        lambda job, work, dtype: _converted("ncnn", job, work) / "model.ncnn.param",
        ("float32", "float16", "int8"),
    ),
    "mnn": Peer(
        "MNN",
        {"aarch64": ("MNN",)},
        lambda job, work, dtype: _converted("mnn", job, work) / "model.mnn",
        ("float32", "float16", "int8"),
    ),
    "litert": Peer(
        "LiteRT (XNNPACK)",
        {"aarch64": (litert.RUNTIME,), "armv7l": ("tflite-runtime==2.14.0",)},
        litert.convert,
        ("float32", "int8"),
    ),
}
# What the wheels need of other packages, as far as a run needs it; numpy is the emulator's.
_NEEDED = {
    "aarch64": ("flatbuffers", "protobuf", "packaging", "tqdm", "requests", "portalocker")
    + ("ml_dtypes", "backports.strenum", "typing_extensions"),
    "armv7l": (),
}

_PLATFORMS = {"armv7l": ("--platform=manylinux_2_34_armv7l",)}


def run_peer(name: str, job: Job, core: Core, dtype: str, work: Path) -> Figures:
    """Return the figures of one inference in a framework; those that ``work`` has are kept.

    Raises
    ------
    UnavailableError
        If the framework is not for the machine, cannot run the network, or computes another result.
    """
    peer = PEERS[name]
    if core.machine not in peer.wheels:
        raise UnavailableError(f"no wheel of it is for {core.machine}")
    if dtype not in peer.dtypes:
        raise UnavailableError(f"it is not counted in {dtype}")
    kept = work / f"{job.name}-{job.fingerprint}"
    kept /= "-".join((*map(_as_here, peer.wheels[core.machine]), core.emulated, dtype)) + ".json"
    if kept.exists():
        return Figures(**json.loads(kept.read_text()))
    file = peer.file(job, work, dtype)
    site = _site(core.machine)
    with scratch("count-") as folder:
        source, result = folder / "input.npy", folder / "output.npy"
        np.save(source, job.input)
        program: list[str | Path] = [
            Path(__file__).with_name("guest.py"),
            name,
            file.absolute(),
            source,
            result,
        ]
        try:
            sections = counted(core, [*program, dtype], sysroot(core, folder), [site])
        except RuntimeError as error:
            raise UnavailableError(str(error).splitlines()[-1][:200]) from error
        output = np.load(result)
    off = difference(output.reshape(job.expected[0].shape), job.expected[0])
    if not off <= (WRONG if dtype == "float32" else 1.0):
        raise UnavailableError(f"its output is another: {off:.0e} of the range from torch's")
    runs = sum((section.runs for section in sections), Counter())
    (found,) = figures([runs], core.machine, core.model)
    kept.write_text(json.dumps(asdict(found)))
    return found


def _site(machine: str) -> Path:
    """Return the folder of a machine's wheels, installed where it is not there."""
    home = emulator.home("counting-peers") / machine
    (python,) = (emulator.home(machine) / "lib").iterdir()
    wheels = [wheel for peer in PEERS.values() for wheel in peer.wheels.get(machine, ())]
    wanted = [*map(_as_here, wheels), *_NEEDED[machine]]
    stamp = home / "stamp"
    if not stamp.exists() or stamp.read_text() != "\n".join(wanted):
        install_wheels(home, python.name, wanted, "--no-deps", *_PLATFORMS.get(machine, ()))
        stamp.write_text("\n".join(wanted))
    return home


def _as_here(wheel: str) -> str:
    """Return the requirement of a wheel of the version that is installed on this machine."""
    if "==" in wheel:
        return wheel
    try:
        return f"{wheel}=={importlib.metadata.version(wheel)}"
    except importlib.metadata.PackageNotFoundError:
        raise UserError(
            f"{wheel} is not installed, which would be counted: pip install -e '.[bench]'"
        ) from None
