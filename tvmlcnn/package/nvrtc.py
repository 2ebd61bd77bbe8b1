"""NVRTC, NVIDIA's compiler as a library, through cuda-bindings; nvFatbin joins its results."""

from __future__ import annotations

from typing import Any

# Where the headers come from that TVM's sources include.
_HEADERS_OF = ("cudart", "cccl")


def inspect(fatbin: bool) -> tuple[str, tuple[int, ...]] | None:
    """Return NVRTC's version and the compute capabilities it knows; None where it is missing.

    Parameters
    ----------
    fatbin : bool
        Whether nvFatbin must be there too.
    """
    try:
        from cuda.bindings import nvrtc

        major, minor = _call(nvrtc.nvrtcVersion)
        (numbers,) = _call(nvrtc.nvrtcGetSupportedArchs)
        if fatbin:
            from cuda.bindings import nvfatbin

            nvfatbin.version()
        _include_options()
    except (ImportError, RuntimeError):  # the bindings, or what they look for
        return None
    return f"{major}.{minor}", tuple(numbers)


def compile_cuda(source: str, code: tuple[str, ...], form: str) -> tuple[bytes, str]:
    """Compile CUDA C++ into a cubin or a fatbin (``form``), and have ptxas say what kernels take.

    ``code`` is as nvcc's ``code=``.
    """
    parts: dict[str, tuple[bytes, bytes, str]] = {}
    for suffix in dict.fromkeys(one.split("_")[1] for one in code):
        parts[suffix] = _compile(source, f"sm_{suffix}")
    said = "".join(each for _, _, each in parts.values())
    if form == "cubin":
        return parts[code[0].split("_")[1]][0], said

    from cuda.bindings import nvfatbin

    handle = nvfatbin.create(["-64"], 1)
    try:
        for one in code:
            kind, suffix = one.split("_")
            cubin, ptx, _ = parts[suffix]
            if kind == "sm":
                nvfatbin.add_cubin(handle, cubin, len(cubin), suffix, "kernels")
            else:
                nvfatbin.add_ptx(handle, ptx, len(ptx), suffix, "kernels", "")
        binary = bytearray(nvfatbin.size(handle))
        nvfatbin.get(handle, binary)
    finally:
        nvfatbin.destroy(handle)
    return bytes(binary), said


def _compile(source: str, architecture: str) -> tuple[bytes, bytes, str]:
    """Return the machine code and the PTX of one architecture, and what ptxas says."""
    from cuda.bindings import nvrtc

    (program,) = _call(nvrtc.nvrtcCreateProgram, source.encode(), b"kernels.cu", 0, [], [])
    try:
        options = [
            f"-arch={architecture}".encode(),
            b"-w",
            b"--ptxas-options=-v",
            *_include_options(),
        ]
        (status,) = nvrtc.nvrtcCompileProgram(program, len(options), options)
        log = _result(nvrtc.nvrtcGetProgramLogSize, nvrtc.nvrtcGetProgramLog, program)
        said = log.decode(errors="replace")
        if status.value:
            raise RuntimeError(f"NVRTC failed: {said.strip()}")
        cubin = _result(nvrtc.nvrtcGetCUBINSize, nvrtc.nvrtcGetCUBIN, program)
        ptx = _result(nvrtc.nvrtcGetPTXSize, nvrtc.nvrtcGetPTX, program)
    finally:
        _call(nvrtc.nvrtcDestroyProgram, program)
    return cubin, ptx, said


def _include_options() -> list[bytes]:
    """Return compiler options that name the folders of NVIDIA's headers."""
    from cuda.pathfinder import find_nvidia_header_directory

    options = []
    for library in _HEADERS_OF:
        folder = find_nvidia_header_directory(library)
        if folder is None:
            raise RuntimeError(f"the headers of {library} are missing")
        options.append(f"-I{folder}".encode())
    return options


def _result(size_of: Any, get: Any, program: Any) -> bytes:
    (size,) = _call(size_of, program)
    data = b" " * size  # the binding writes into it
    _call(get, program, data)
    return data


def _call(function: Any, *arguments: Any) -> Any:
    """Call NVRTC and return its results without the status, which must be success."""
    status, *results = function(*arguments)
    if status.value:
        raise RuntimeError(f"{function.__name__} failed: {status.name}")
    return results
