"""ncnn, through pnnx."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import numpy as np

from tools.peers.job import Job


def convert(job: Job, folder: Path) -> None:
    """Write ``model.ncnn.param`` and ``model.ncnn.bin``, with float32 weights."""
    import pnnx
    import torch

    torch.jit.trace(job.module, torch.from_numpy(job.input)).save(str(folder / "model.pt"))
    shape = ",".join(map(str, job.input.shape))
    command = [pnnx.EXEC_PATH, "model.pt", f"inputshape=[{shape}]f32", "fp16=0"]
    subprocess.run(command, cwd=folder, check=True)


def load(job: Job, folder: Path) -> Callable[[np.ndarray], np.ndarray]:
    """Return the network with everything of less than 32 bits turned off."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = job.threads
    net.opt.lightmode = True
    for name in dir(net.opt):
        if name.startswith(("use_fp16", "use_bf16")):
            setattr(net.opt, name, False)
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
