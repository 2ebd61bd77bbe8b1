"""What a file for a GPU says where the driver refuses."""

from __future__ import annotations

import ctypes

from gpu_instance import (
    FAILED,
    NO_BINARY_FOR_GPU,
    NO_MEMORY,
    OK,
    OUT_OF_MEMORY,
    UNSUPPORTED,
    Driver,
    Instance,
    opened,
)


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
