"""ncnn, through pnnx."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job
from tools.peers.unavailable import UnavailableError

_TOOLS = ("ncnn2table", "ncnn2int8")


def convert(job: Job, folder: Path) -> None:
    """Write ``model.ncnn.param`` and ``model.ncnn.bin``, with float32 weights or int8 ones.

    ncnn's own tools for int8 come with its sources, not with its package: ``ncnn2table`` and
    ``ncnn2int8`` have to be on the PATH.
    """
    import pnnx
    import torch

    torch.jit.trace(job.module, torch.from_numpy(job.input)).save(str(folder / "model.pt"))
    shape = ",".join(map(str, job.input.shape))
    command = [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]f32", "fp16=0"]
    subprocess.run(command, cwd=folder, check=True)
    if job.dtype == "int8":
        _quantize(job, folder)


def _quantize(job: Job, folder: Path) -> None:
    """Replace the network by one in integers: s8 activations, s8 weights by channel."""
    for tool in _TOOLS:
        if shutil.which(tool) is None:
            raise UnavailableError(
                f"{tool}, of ncnn's sources (tools/quantize), is not on the PATH"
            )
    names = []
    for number, array in enumerate(job.observed):
        np.save(folder / f"{number}.npy", array[0])
        names.append(f"{number}.npy")
    (folder / "observed.txt").write_text("\n".join(names) + "\n")
    shape = ",".join(map(str, reversed(job.input.shape[1:])))
    files = ["model.ncnn.param", "model.ncnn.bin"]
    table, int8 = _TOOLS
    calibrate = [table, *files, "observed.txt", "model.table", f"shape=[{shape}]", "method=kl"]
    for command in (
        [*calibrate, "type=1", "thread=1"],
        [int8, *files, "int8.param", "int8.bin", "model.table"],
    ):
        subprocess.run(command, cwd=folder, check=True)
    (folder / "int8.param").replace(folder / files[0])
    (folder / "int8.bin").replace(folder / files[1])


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the network with everything of less bits than the job's type has turned off."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = job.threads
    net.opt.lightmode = True
    for name in dir(net.opt):
        if name.startswith("use_fp16"):
            setattr(net.opt, name, False)
        if name.startswith("use_bf16"):
            setattr(net.opt, name, job.dtype == "bfloat16")
    for load_file, name in ((net.load_param, "param"), (net.load_model, "bin")):
        if load_file(str(folder / f"model.ncnn.{name}")):
            raise RuntimeError(f"ncnn cannot load model.ncnn.{name}")

    def call(image: np.ndarray) -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]))  # ncnn has no batch
        failed, output = extractor.extract("out0")
        if failed:
            raise RuntimeError(f"ncnn's extract returned {failed}")
        return np.array(output)[np.newaxis]

    return call
