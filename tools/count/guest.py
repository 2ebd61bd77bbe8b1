"""Run a network once in another framework, on the emulated core, for a counter of instructions.

``python guest.py FRAMEWORK FILE INPUT.npy OUTPUT.npy NUMBER-FORMAT``

What is counted lies between two calls of ``getppid``, after runs that have touched all memory and
made all choices. There are no torch and no compiler here, which the loaders of `tools.peers` want.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

import numpy as np

Call = Callable[[], np.ndarray]
_WARM = 2  # runs; frameworks pack weights, and choose kernels, in the first ones


def onnxruntime(file: str, image: np.ndarray, half: bool) -> Call:
    """Return a call of ONNX Runtime's CPU provider."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(file, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: image})[0]


def ncnn(file: str, image: np.ndarray, half: bool) -> Call:
    """Return a call of ncnn; ``half`` lets it compute in float16, as it does by default."""
    import ncnn

    net = ncnn.Net()
    net.opt.num_threads = 1
    net.opt.lightmode = True
    if not half:
        for name in dir(net.opt):
            if name.startswith(("use_fp16", "use_bf16")):
                setattr(net.opt, name, False)
    net.load_param(file)
    net.load_model(file.replace(".param", ".bin"))

    def call() -> np.ndarray:
        extractor = net.create_extractor()
        extractor.input("in0", ncnn.Mat(image[0]))  # ncnn has no batch
        return np.array(extractor.extract("out0")[1])[np.newaxis]

    return call


def mnn(file: str, image: np.ndarray, half: bool) -> Call:
    """Return a call of MNN; low precision is float16."""
    from MNN import expr, nn

    precision = "low" if half else "high"
    settings = {"backend": "CPU", "precision": precision, "numThread": 1}
    runtime = nn.create_runtime_manager((settings,))
    module = nn.load_module_from_file(
        file, ["input"], ["output"], runtime_manager=runtime, shape_mutable=False
    )
    variable = expr.placeholder(list(image.shape), expr.NCHW)

    def call() -> np.ndarray:
        variable.write(image)
        return module.forward([variable])[0].read()

    return call


def litert(file: str, image: np.ndarray, half: bool) -> Call:
    """Return a call of LiteRT, which hands to XNNPACK what that has."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:  # its name before 2025, under which 32-bit machines have it
        from tflite_runtime.interpreter import Interpreter

    interpreter = Interpreter(file, num_threads=1)
    interpreter.allocate_tensors()
    entry, result = interpreter.get_input_details()[0], interpreter.get_output_details()[0]
    if tuple(entry["shape"]) != image.shape:
        image = np.ascontiguousarray(image.transpose(0, 2, 3, 1))
    scale, zero = entry["quantization"]
    if scale:
        limits = np.iinfo(entry["dtype"])
        image = np.clip(np.round(image / scale) + zero, limits.min, limits.max)
    image = image.astype(entry["dtype"])
    step, middle = result["quantization"]

    def call() -> np.ndarray:
        interpreter.set_tensor(entry["index"], image)
        interpreter.invoke()
        output = interpreter.get_tensor(result["index"])
        return (output.astype(np.float32) - middle) * step if step else output

    return call


_FRAMEWORKS = {each.__name__: each for each in (onnxruntime, ncnn, mnn, litert)}


def main(framework: str, file: str, source: str, destination: str, dtype: str) -> None:
    """Run, and write what came out."""
    call = _FRAMEWORKS[framework](file, np.load(source), dtype == "float16")
    for _ in range(_WARM):
        call()
    os.getppid()
    output = call()
    os.getppid()
    np.save(destination, output)


if __name__ == "__main__":
    main(*sys.argv[1:])
