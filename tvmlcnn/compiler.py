"""From a torch module to one file: the whole road."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
import tvm

from tvmlcnn import frontend, passes, pipeline
from tvmlcnn.compile_check import SKIPPED, checked
from tvmlcnn.compile_report import Clock, Report
from tvmlcnn.errors import UserError
from tvmlcnn.files import check_writable, make_folder, scratch
from tvmlcnn.input_form import size_of
from tvmlcnn.package import cuda, features, manifest, model_file
from tvmlcnn.package.fitting_table import fitting_table
from tvmlcnn.package.slow_kernels import slow_kernels
from tvmlcnn.package.variants import together
from tvmlcnn.precision import check_request, element_for
from tvmlcnn.records import Library
from tvmlcnn.runtime.machine import machine
from tvmlcnn.runtime.manifest import RANDOM_WEIGHTS
from tvmlcnn.schedules import given_up, kernels_by_rule, rules_for, workloads
from tvmlcnn.schedules.recorded import Recorded
from tvmlcnn.targets import Device, records_name, resolve


def compile(
    model: str | torch.nn.Module,
    target: str | dict[str, Any] = "x86",
    input_shape: Any = None,
    weights: str | Path | None = None,
    output: str | Path | None = None,
    *,
    input: str = "float32",
    resize: bool = False,
    dtype: str = "float32",
    calibration: Any = None,
    keep_float: str | Sequence[str] = (),
    threads: int | None = None,
    records: str | Path | None = None,
    check: bool = True,
    trust: bool = False,
    dump_ir: str | Path | None = None,
    progress: Callable[[str], None] = lambda phase: None,
) -> Report:
    """Compile a network into one file that runs it.

    Parameters
    ----------
    model : str or torch.nn.Module
        A zoo name, ``FILE.py:FACTORY``, ``package.module:FACTORY``, a ``.pt2`` file, or a module.
    target : str or dict
        A name that ``tvmlcnn targets`` lists, or a TVM target as JSON.
    input_shape : str, sequence of int or range, or one of these an input, optional
        ``"1x3x224x224"`` or ``(1, 3, 224, 224)``; a text may name another type than float32, as
        ``"1x16:int64"``. ``"1..8x3x224x224"``, or a range in a sequence, makes a program for each
        of the sizes, of which a call takes the one that fits. By default what the zoo or the
        exported program says, else 1x3x224x224.
    weights : str or Path, optional
        A torch state dict or a safetensors file, or ``"imagenet"`` for torchvision's; by default
        the module's own weights.
    output : str or Path, optional
        By default ``MODEL-TARGET.so`` in the working folder.
    input : str
        ``"float32"``: pictures are given as the module takes them, normalized. ``"uint8"``: as a
        camera gives them, of shape (N, height, width, channels) with values of 0 to 255; the file
        normalizes them by the model's preprocessing.
    resize : bool
        Whether frames may be of any size; the file resizes them by the model's preprocessing.
    dtype : str
        What weights, and what layers hand on, are: ``"float32"``; ``"float16"`` or ``"bfloat16"``,
        where the target computes in it; or ``"int8"``. Inputs and outputs are the network's.
        ``"tf32"`` is float32 whose factors tensor cores round as they multiply them.
    calibration : str, Path, numpy.ndarray, mapping or iterable, optional
        Inputs like those that an int8 network will be given, to observe its ranges on: a folder of
        photos, preprocessed as the file wants them; a ``.npy`` file of shape (N, ...), or a
        ``.npz`` with an array for each input; such arrays; an iterable of inputs; or ``"random"``.
        A quarter of them is not observed but compared with float32.
    keep_float : str or sequence of str
        Names, or glob patterns, of layers that an int8 network computes in float32; those whose
        error is too large are found by themselves.
    threads : int, optional
        Threads to compile for, and the default when the file is loaded; by default the cores of
        the target, and all physical cores of the machine that loads it. Records are for so many.
    records : str or Path, optional
        Folder of your records of tuning, by default the one that ``tvmlcnn tune`` writes to.
        Those that come with tvmlcnn are found after them.
    check : bool
        Compare the result with torch before the file is written, where the target's code can be
        run or emulated here.
    trust : bool
        Let code run that is in a ``.pt2`` file, as in pickled objects; by default a file that holds
        what torch would run is refused.
    dump_ir : str or Path, optional
        Folder that gets the module after each phase.
    progress : callable
        Called with the name of each phase when it begins.

    Returns
    -------
    Report

    Raises
    ------
    UserError
        For whatever the user can mend: an unknown model or target, weights, shapes or calibration
        data that do not fit, a folder that cannot be written to, a missing tool.
    RuntimeError
        If the compiled library computes something else than torch.
    """
    clock = Clock(progress)
    clock.start("load model")
    check_request(dtype, calibration, keep_float)
    frontend.check_frames(input, resize)
    device = _with_threads(resolve(target), threads)
    element = element_for(dtype, device)
    gpu_compiler = cuda.find_compiler(device.gpu_code) if device.gpu_code else None
    network = frontend.resolve(model, input_shape, trust)
    path = Path(output) if output is not None else Path(f"{network.name}-{device.name}.so")
    check_writable(path)
    notes = list(network.notes)
    if weights is not None:
        with network.running():
            notes += frontend.load_weights(network, weights)
    elif network.random_weights:
        notes.append(f"{network.name}: {RANDOM_WEIGHTS}; give weights")
    notes += frontend.without_numbers(network.module)
    if input == "uint8":
        network = frontend.of_frames(network, resize)
    quantization: dict[str, Any] | None = None
    if dtype == "int8":
        from tvmlcnn.quantization import quantized_network  # torchao takes two seconds to import

        clock.start("quantize")
        network, how = quantized_network(network, calibration, keep_float, device.weight_bounds)
        quantization = asdict(how)
        notes += network.notes
        if device.codes is None:
            notes.append(
                f"{device.name} has no kernels of int8: the network is computed in float32"
            )
    clock.start("run torch")
    here = device.machine == machine()  # an emulator takes seconds for each input
    each = [replace(network, variants=(variant,)) for variant in network.variants]
    with network.running():
        expected = [frontend.references(one, check, here, weights is not None) for one in each]
        clock.start("export")
        graphs = [
            frontend.import_graph(
                one.module, frontend.as_called(one, cases["random"][0]), one.keywords
            )
            for one, cases in zip(each, expected, strict=True)
        ]
    notes += graphs[0].notes
    folder = Path(dump_ir) if dump_ir is not None else None
    if folder is not None:
        make_folder(folder)
    known = Library.of(Path(records) if records is not None else None)
    tuned = Recorded(known, records_name(device), device.threads_of_kernels)
    mods = [
        pipeline.run(
            graph.mod, device, tuned, _folder_of(folder, graph, graphs), clock.start, element
        )
        for graph in graphs
    ]
    variants = together(mods)
    kernels, decided = kernels_by_rule(variants.mod), _counts(variants.mod, tuned)
    needed = [] if device.gpu_code else features.required_features(device.tvm, device.machine)
    with scratch("tvmlcnn-") as temporary:
        clock.start("generate code" if gpu_compiler is None else f"compile with {gpu_compiler}")
        specs = [graph.inputs for graph in graphs], [graph.outputs for graph in graphs]
        parts = model_file.write_parts(
            variants,
            *specs,
            device,
            needed,
            threads,
            gpu_compiler,
            temporary,
            fitting_table(network),
        )
        text = manifest.compose(
            network,
            None if weights is None else Path(weights).name,
            graphs,
            device,
            needed,
            gpu_compiler,
            kernels,
            decided,
            variants,
            parts.layout,
            threads,
            dtype,
            quantization,
        )
        text["check"], times = SKIPPED, None
        clock.start("link")
        linked = temporary / "model.so"
        model_file.link_library(parts, text, linked)
        if gpu_compiler is not None:
            cuda.check_library(linked, device.gpu_code)
        clock.start("check")
        if check:
            text["check"], times = checked(linked, device, element, needed, expected, each)
        if times is not None:
            notes += slow_kernels(variants.calls[0], times, device)
        clock.start("write")
        model_file.link_library(parts, text, linked)
        model_file.publish(linked, path)
    clock.stop()
    return Report(
        path,
        path.stat().st_size,
        device.name,
        kernels,
        decided,
        rules_for(device)[-1].name,
        given_up(variants.mod),
        sorted({name for mod in mods for name in passes.turned_back(mod)}),
        text["check"],
        clock.seconds,
        notes + tuned.warnings,
        quantization,
        text,
    )


def _folder_of(
    folder: Path | None, graph: frontend.Graph, graphs: list[frontend.Graph]
) -> Path | None:
    """Return the folder that gets a variant's module: one of its own where there are several."""
    if folder is None or len(graphs) == 1:
        return folder
    own = folder / "_".join(size_of(spec.shape) for spec in graph.inputs)
    make_folder(own)
    return own


def _counts(mod: tvm.IRModule, tuned: Recorded) -> dict[str, int]:
    """Return how many kernels records of tuning decided about, as `Report.records` has it."""
    names = [name for name in workloads(mod).values() if name in tuned.asked]
    return {
        "tuned": sum(name in tuned.found for name in names),
        "default": sum(name in tuned.default for name in names),
        "of": len(names),
    }


def _with_threads(device: Device, threads: int | None) -> Device:
    """Return the device with as many cores as threads were asked for."""
    if threads is None:
        return device
    if threads < 1:
        raise UserError(f"threads={threads}: at least one is needed")
    return device.with_cores(threads)
