"""What a file for a GPU does with the driver when all goes well."""

from __future__ import annotations

import ctypes

from gpu_instance import FAILED, OK, UNSUPPORTED, WEIGHT, Driver, opened


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
