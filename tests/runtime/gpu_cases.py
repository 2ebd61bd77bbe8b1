"""What a file for a GPU does with the driver: each case runs in a process of its own.

LD_LIBRARY_PATH=FOLDER python gpu_cases.py CASE FILE
"""

from __future__ import annotations

import ctypes
import os
import sys
import threading
from collections.abc import Callable

from gpu_instance import (
    FAILED,
    FORKED,
    NO_BINARY_FOR_GPU,
    NO_MEMORY,
    OK,
    OUT_OF_MEMORY,
    UNSUPPORTED,
    WEIGHT,
    Driver,
    Instance,
    opened,
)


def replayed(file: ctypes.CDLL, driver: Driver) -> None:
    """The first run launches kernels, later ones a graph of them; each program has its own."""
    instance = opened(file)
    driver.log()
    launches = [
        "copy 256 to device",
        "launch scale_64_kernel",
        "launch reverse_64_kernel",
        "launch reverse_64_kernel_1",
        "copy 256 on device",
        "copy 256 on device",
        "copy 768 to host",
    ]
    assert instance.run(0) == OK
    assert driver.log() == [*launches, "synchronize", "capture 1", *launches]
    for seed in range(3):
        assert instance.run(0, seed) == OK
        assert driver.log() == ["launch graph", "synchronize"]
    assert instance.run(1) == OK
    assert "launch scale_128_kernel" in driver.log()
    for program in (1, 0, 1):
        assert instance.run(program, 9) == OK
        assert driver.log() == ["launch graph", "synchronize"]
    instance.close()
    assert driver.live() == 0


def launched_early(file: ctypes.CDLL, driver: Driver) -> None:
    """Where kernels wait for those before them, some are launched before those end."""
    for versions in ((12020, 90), (12030, 89)):
        driver.functions.fake_versions(*versions)
        instance = opened(file)
        assert instance.run(0) == OK
        assert not [line for line in driver.log() if line.startswith("launch early")]
        instance.close()
    driver.functions.fake_versions(12030, 90)
    instance = opened(file)
    driver.log()
    launches = [
        "launch scale_64_kernel",
        "launch reverse_64_kernel",
        "launch early reverse_64_kernel_1",
    ]
    assert instance.run(0) == OK
    log = driver.log()
    assert [line for line in log if line.startswith("launch")] == 2 * launches
    assert instance.run(0, 1) == OK
    assert driver.log() == ["launch graph", "synchronize"]
    assert instance.times(0, 1) == [[51, 11, 1, 21]]  # events stand in front of the others
    assert driver.log().count("launch early reverse_64_kernel_1") == 1
    driver.fail("cuLaunchKernelEx")
    second = opened(file)
    assert second.run(0) == FAILED
    assert "reverse_64_kernel_1: CUDA_ERROR_ILLEGAL_ADDRESS" in second.error
    second.close()
    instance.close()
    assert driver.live() == 0


def shared(file: ctypes.CDLL, driver: Driver) -> None:
    """Instances share code and weights; the last one takes them along."""
    first, second = opened(file), opened(file)
    log = driver.log()
    assert log.count("load module of 127") == 1
    assert log.count(f"copy {WEIGHT.nbytes} to device") == 1
    assert first.run(0) == OK
    first.close()
    assert second.run(1) == OK
    second.close()
    assert driver.live() == 0
    third = opened(file)
    assert driver.log().count("load module of 127") == 1
    assert third.run(0) == OK
    third.close()
    assert driver.live() == 0


def observed(file: ctypes.CDLL, driver: Driver) -> None:
    """A hook sees each call of a kernel when it is done."""
    seen: list[int] = []
    done: list[list[str]] = []

    @ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_size_t)
    def hook(context: int, call: int) -> None:
        seen.append(call)
        done.append(driver.log())

    instance = opened(file)
    for before in (0, 2):
        for _ in range(before):
            instance.run(0)
        file.tvmlcnn_observe(instance.handle, hook, None)
        driver.log()
        assert instance.run(0) == OK
        assert seen == [0, 1, 2]
        assert done == [
            ["copy 256 to device", "synchronize"],
            ["launch scale_64_kernel", "synchronize"],
            ["launch reverse_64_kernel", "launch reverse_64_kernel_1", "synchronize"],
        ]
        file.tvmlcnn_observe(instance.handle, None, None)
        seen.clear()
        done.clear()
    instance.close()
    assert driver.live() == 0


def timed(file: ctypes.CDLL, driver: Driver) -> None:
    """The driver of the tests takes 10 us for a launch, 5 for a copy, and 1 for an event."""
    instance = opened(file)
    for _ in range(2):
        assert instance.times(0, 3) == [[51, 11, 1, 21]] * 3
        assert instance.run(0) == OK
    assert instance.times(1, 1) == [[51, 11, 1, 21]]
    driver.fail("cuGraphInstantiateWithFlags")  # then events stand in the stream
    assert instance.times(0, 2) == [[51, 11, 1, 21]] * 2
    for function, at in (
        *(("cuEventCreate", 3), ("cuEventRecordWithFlags", 5), ("cuEventElapsedTime", 2)),
        *(("cuStreamSynchronize", 2), ("cuGraphLaunch", 1), ("cuCtxPushCurrent_v2", 1)),
    ):
        driver.fail(function, at)
        said = instance.times(0, 2)
        # What a graph does not do launches do.
        assert said == ([[51, 11, 1, 21]] * 2 if function == "cuGraphLaunch" else FAILED), function
        assert driver.functions.fake_depth() == 0
        assert instance.run(0) == OK
    instance.close()
    assert driver.live() == 0


def never_captured(file: ctypes.CDLL, driver: Driver) -> None:
    """Where capturing fails, networks are launched kernel by kernel."""
    for function in (
        *("cuStreamBeginCapture_v2", "cuStreamEndCapture", "cuGraphInstantiateWithFlags"),
        "cuGraphLaunch",
    ):
        instance = opened(file)
        driver.fail(function)
        assert instance.run(0) == OK
        driver.log()
        for seed in range(2):
            assert instance.run(0, seed) == OK
            if seed == 0:
                assert "launch scale_64_kernel" in driver.log(), function
        instance.close()
        assert driver.live() == 0
    instance = opened(file)
    driver.log()
    driver.fail("cuLaunchKernel", 5)  # the second of those that are captured
    assert instance.run(0) == OK
    assert instance.run(0) == OK
    assert "launch graph" not in driver.log()
    instance.close()
    assert driver.live() == 0


def without_graphs(file: ctypes.CDLL, driver: Driver) -> None:
    """A driver that has no graphs."""
    assert not hasattr(driver.functions, "cuGraphLaunch")
    instance = opened(file)
    for seed in range(3):
        assert instance.run(0, seed) == OK
        assert "launch scale_64_kernel" in driver.log()
    assert instance.times(0, 1) == UNSUPPORTED
    assert "needs a driver of CUDA 11.1" in instance.error
    instance.close()
    assert driver.live() == 0


def opening_fails(file: ctypes.CDLL, driver: Driver) -> None:
    """Whatever the driver refuses: one line says so, nothing is left, and later it works."""
    functions = (
        *("cuInit", "cuCtxGetCurrent", "cuDeviceGet", "cuDevicePrimaryCtxRetain"),
        *("cuCtxPushCurrent_v2", "cuModuleLoadData", "cuModuleGetFunction", "cuFuncSetAttribute"),
        *("cuMemAlloc_v2", "cuMemAllocHost_v2", "cuStreamCreate", "cuMemcpyHtoDAsync_v2"),
        "cuStreamSynchronize",
    )
    for function in functions:
        for at in range(1, 20):
            driver.fail(function, at, OUT_OF_MEMORY)
            instance = Instance(file)
            driver.functions.fake_fail(b"", 0, 0)
            if instance.status == OK:
                assert at > 1, function
                instance.close()
                break
            assert instance.status == NO_MEMORY, (function, instance.error)
            assert "CUDA_ERROR_OUT_OF_MEMORY (out of memory)" in instance.error
            assert instance.run(0) != OK
            instance.close()
            assert driver.live() == 0, function
        assert driver.live() == 0
    instance = opened(file)
    assert instance.run(1) == OK
    instance.close()


def no_driver(file: ctypes.CDLL, driver: None) -> None:
    """What is called libcuda.so.1 cannot be loaded."""
    instance = Instance(file)
    assert instance.status == UNSUPPORTED
    assert "needs NVIDIA's driver: " in instance.error
    assert "libcuda.so.1" in instance.error
    instance.close()


def no_device(file: ctypes.CDLL, driver: Driver) -> None:
    driver.functions.fake_devices(0)
    instance = Instance(file)
    assert instance.status == UNSUPPORTED
    assert "needs an NVIDIA GPU" in instance.error
    instance.close()
    driver.functions.fake_devices(1)
    instance = opened(file)
    assert instance.run(0) == OK
    instance.close()


def other_architecture(file: ctypes.CDLL, driver: Driver) -> None:
    driver.fail("cuModuleLoadData", error=NO_BINARY_FOR_GPU)
    instance = Instance(file)
    assert instance.status == UNSUPPORTED
    for part in ("sm_75, compute_75", "none 1.0", "(Fake 0) is sm_61", "CUDA 12.2", "NO_BINARY"):
        assert part in instance.error, instance.error
    instance.close()
    assert driver.live() == 0


def running_fails(file: ctypes.CDLL, driver: Driver) -> None:
    """A run that fails says which kernel, if it is known, and the next one works."""
    instance = opened(file)
    for function, at, part in (
        (
            "cuMemcpyHtoDAsync_v2",
            1,
            "copying inputs to the GPU: CUDA_ERROR_ILLEGAL_ADDRESS (an ill",
        ),
        ("cuLaunchKernel", 1, "scale_64_kernel: CUDA_ERROR_ILLEGAL_ADDRESS"),
        ("cuLaunchKernel", 3, "reverse_64_kernel_1: CUDA_ERROR_ILLEGAL_ADDRESS"),
        ("cuMemcpyDtoDAsync_v2", 2, "copying outputs from the GPU: "),
        ("cuMemcpyDtoHAsync_v2", 1, "copying outputs from the GPU: "),
        ("cuStreamSynchronize", 1, "a kernel: CUDA_ERROR_ILLEGAL_ADDRESS"),
        ("cuCtxPushCurrent_v2", 1, "using CUDA's context"),
    ):
        driver.fail(function, at)
        assert instance.run(0) == FAILED
        assert part in instance.error, instance.error
        assert driver.functions.fake_depth() == 0
    for seed in range(3):
        assert instance.run(0, seed) == OK
    assert driver.log()[-2:] == ["launch graph", "synchronize"]
    instance.close()
    assert driver.live() == 0


def beside_an_application(file: ctypes.CDLL, driver: Driver) -> None:
    """The GPU is that of the application's context, which stays current."""
    functions = driver.functions
    functions.cuInit(0)
    functions.fake_devices(2)
    own, current = ctypes.c_void_p(), ctypes.c_void_p()
    functions.cuDevicePrimaryCtxRetain(ctypes.byref(own), 1)
    functions.cuCtxPushCurrent_v2(own)

    def same() -> None:
        functions.cuCtxGetCurrent(ctypes.byref(current))
        assert current.value == own.value
        assert functions.fake_depth() == 1

    driver.log()
    instance = opened(file)
    assert driver.log()[1] == "retain context of device 1"
    same()
    assert instance.run(0) == OK
    same()
    functions.cuCtxPopCurrent_v2(ctypes.byref(current))
    other = opened(file)
    assert driver.log()[-1] != "retain context of device 1"
    assert other.run(1) == OK
    assert instance.run(0) == OK
    functions.cuCtxPushCurrent_v2(own)
    instance.close()
    other.close()
    same()
    functions.cuCtxPopCurrent_v2(ctypes.byref(current))
    functions.cuDevicePrimaryCtxRelease_v2(1)
    assert driver.live() == 0


def forked(file: ctypes.CDLL, driver: Driver) -> None:
    """A forked process has no CUDA; it says so, and calls nothing of the driver."""
    instance = opened(file)
    assert instance.run(0) == OK
    child = os.fork()
    if not child:
        driver.log()
        assert instance.run(0) == FORKED
        another = Instance(file)
        assert another.status == FORKED
        assert "forked" in another.error
        another.close()
        instance.close()
        assert driver.log() == []
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    assert instance.run(1) == OK
    instance.close()
    assert driver.live() == 0


def in_threads(file: ctypes.CDLL, driver: Driver) -> None:
    """Threads open, run and close as they like."""
    failures = []

    def work(number: int) -> None:
        try:
            for turn in range(20):
                instance = opened(file)
                for seed in range(3):
                    assert instance.run((number + turn) % 2, seed) == OK
                instance.close()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures
    assert driver.live() == 0


CASES: dict[str, Callable[[ctypes.CDLL, Driver], None]] = {
    case.__name__: case
    for case in (
        *(
            replayed,
            launched_early,
            shared,
            observed,
            timed,
            never_captured,
            opening_fails,
            no_device,
        ),
        *(other_architecture, running_fails, beside_an_application, forked, in_threads),
    )
}

if __name__ == "__main__":
    name, file = sys.argv[1], ctypes.CDLL(sys.argv[2])
    if name == no_driver.__name__:
        no_driver(file, None)
    else:
        (CASES | {without_graphs.__name__: without_graphs})[name](file, Driver())
