"""What a target stands for where kernels are measured."""

from __future__ import annotations

from typing import Any

from tvmlcnn.errors import UserError
from tvmlcnn.runtime.nvidia import NoGpuError, find_gpu
from tvmlcnn.targets import CUDA_NATIVE, Device, resolve

_OF_ANY_GPU = "cuda"


def tuned_device(target: str | dict[str, Any], elsewhere: str | None) -> Device:
    """Return the device that kernels are tuned for.

    Records are for one architecture: ``"cuda"``, which stands for any GPU, is the one at hand.

    Parameters
    ----------
    target : str or dict
        As `tvmlcnn.compile` takes it.
    elsewhere : str, optional
        The board or the tracker that measures, if it is not this machine.

    Raises
    ------
    UserError
        If there is no such target, or it needs a GPU here and there is none.
    """
    if target not in (_OF_ANY_GPU, CUDA_NATIVE):
        return resolve(target)
    if elsewhere is not None:
        raise UserError(
            f"{target} is the GPU of this machine; name the one of {elsewhere}, "
            "such as jetson-orin-nano",
            parameters=("target",),
        )
    try:
        find_gpu()
    except NoGpuError as error:
        raise UserError(
            f"tuning for {target} measures on an NVIDIA GPU of this machine: {error}; "
            "tune on a machine that has one, or name a GPU and a board that has it",
            parameters=("target", "device"),
        ) from error
    return resolve(CUDA_NATIVE)
