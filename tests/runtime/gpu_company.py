"""A file for a GPU beside other users of the driver: an application, a fork, threads."""

from __future__ import annotations

import ctypes
import os
import threading

from gpu_instance import FORKED, OK, Driver, Instance, opened


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
