"""The whole of tuning: from networks and a target to records."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tvmlcnn import frontend
from tvmlcnn.errors import UserError
from tvmlcnn.package.cuda import find_compiler
from tvmlcnn.package.features import required_features
from tvmlcnn.precision import check_request, element_for
from tvmlcnn.remote import boards
from tvmlcnn.runtime import limits
from tvmlcnn.targets import Device, Gpu

from .target import tuned_device
from .tuner import Goal, Run, tasks_of


@contextmanager
def prepare(
    models: Sequence[str],
    target: str | dict[str, Any] = "native",
    *,
    input_shape: Any = None,
    weights: str | Path | None = None,
    calibration: Any = None,
    keep_float: str | Sequence[str] = (),
    trust: bool = False,
    goal: Goal | None = None,
    threads: int | None = None,
    device: str | None = None,
    tracker: str | None = None,
    key: str | None = None,
    parallel: int | None = None,
    token_file: str | None = None,
    records: Path | None = None,
    progress: Callable[[str], None] = lambda phase: None,
) -> Iterator[Run]:
    """Take boards, and yield the run that tunes the kernels of networks on them.

    The run records what is better than the default. What a former one measured for the same
    target and threads is gone on from.

    Parameters
    ----------
    models : sequence of str
        As `tvmlcnn.compile` takes them.
    target : str or dict
        As `tvmlcnn.compile` takes it; ``"cuda"`` is the GPU at hand.
    input_shape : optional
        Of every model, as `tvmlcnn.compile` takes it; by default what each one says.
    weights, calibration, keep_float : optional
        Of every model, as `tvmlcnn.compile` takes them: in int8 they decide which kernels a
        network has.
    trust : bool
        As `tvmlcnn.compile` takes it.
    goal : Goal, optional
    threads : int, optional
        That kernels are made for and measured with; by default all physical cores of the boards.
    device, tracker, key, parallel, token_file : optional
        Where to measure, see `tvmlcnn.remote.boards`; by default on this machine.
    records : Path, optional
        Folder of your records, by default the one that `tvmlcnn.compile` reads.
    progress : callable
        Is told of each step of the preparation.

    Yields
    ------
    Run

    Raises
    ------
    UserError
        For whatever the user can mend: an unknown model or target, a board that does not fit the
        target or does not answer, a full disk.
    """
    whole = tuned_device(target, device or tracker)
    dtype = (goal or Goal()).dtype
    check_request(dtype, calibration, keep_float)
    element = element_for(dtype, whole)
    if whole.gpu_code:
        find_compiler(whole.gpu_code)  # a missing one is told before anything is measured
    if importlib.util.find_spec("xgboost") is None:
        raise UserError("tuning needs xgboost: pip install 'tvmlcnn[tune]'")
    with boards(device, tracker, key, parallel, token_file) as fleet:
        for board in fleet:
            _check_fits(whole, board.name, board.facts())
        cores = min(board.facts()["cores"] for board in fleet)
        # Kernels for a GPU know nothing of its host.
        count = whole.threads_of_kernels if whole.gpu_code else threads or cores
        goal = replace(goal or Goal(), threads=count)
        # Kernels are made for the threads that they are measured with.
        wanted = whole.with_cores(goal.threads).rounding(element)
        networks = {}
        for model in dict.fromkeys(models):
            progress(f"load {model}")
            network = frontend.resolve(model, input_shape, trust)
            # Two files may name their factories alike.
            name = model if network.name in networks else network.name
            if weights is not None:
                with network.running():
                    frontend.load_weights(network, weights)
            if dtype == "int8":
                from tvmlcnn.quantization import quantized_network  # takes two seconds to import

                progress(f"quantize {model}")
                network, _ = quantized_network(
                    network, calibration, keep_float, whole.weight_bounds
                )
            with network.running():
                for number, variant in enumerate(network.variants):
                    inputs = frontend.random_inputs(variant)
                    graph = frontend.import_graph(network.module, inputs, network.keywords)
                    networks[f"{name} {number + 1}" if number else name] = graph.mod
        progress("find kernels")
        tasks, fixed = tasks_of(networks, wanted, goal)
        progress("measure the machine")
        best = _limits(whole, goal.threads, device or tracker)
        yield Run(tasks, fixed, wanted, goal, fleet, records, best)


def _check_fits(device: Device, name: str, facts: dict[str, Any]) -> None:
    """Raise UserError where a board cannot run the target's code."""
    if facts["machine"] != device.machine:
        raise UserError(
            f"{name} is {facts['machine']}, and {device.name} is {device.machine}: measure on a "
            "board that is",
            parameters=("device", "tracker"),
        )
    _FITS[device.family](device, name, facts)


def _check_features(device: Device, name: str, facts: dict[str, Any]) -> None:
    """Raise UserError where a board lacks instructions of the target."""
    missing = sorted(set(required_features(device.tvm, device.machine)) - set(facts["features"]))
    if missing:
        raise UserError(f"{name} lacks {', '.join(missing)}, which {device.name} needs")


def _check_gpu(device: Gpu, name: str, facts: dict[str, Any]) -> None:
    """Raise UserError where a board has none of the target's architecture, which records are for.

    Parameters
    ----------
    device : Gpu
    name : str
        Of the board.
    facts : dict
        Of the board; ``gpu`` has ``name`` and ``capability`` of its GPU, if there is one.
    """
    gpu = facts.get("gpu")
    if gpu is None:
        raise UserError(
            f"{name} has no NVIDIA GPU with a driver; measure kernels for {device.name} where one "
            f"of {device.processor} is",
            parameters=("device", "tracker"),
        )
    if gpu["capability"] != device.capability:
        raise UserError(
            f"the GPU of {name} ({gpu['name']}) is sm_{gpu['capability']}, and {device.name} is "
            f"{device.processor}: records of one are for no other",
            parameters=("target",),
        )


_FITS: dict[str, Callable[..., None]] = {"cpu": _check_features, "cuda": _check_gpu}
"""What checks a board for a device, by its family."""


def _limits(device: Device, threads: int, elsewhere: str | None) -> limits.Limits | None:
    """Return what the boards can do at most: measured here, else as their data sheet says."""
    if elsewhere is None and not device.gpu_code:
        return limits.measure(threads)
    if device.peak_gflops is None or device.bandwidth_gbs is None:
        return None
    share = 1.0 if device.gpu_code else min(1.0, threads / device.cores)
    return limits.Limits(device.peak_gflops * share, {1 << 20: device.bandwidth_gbs})
