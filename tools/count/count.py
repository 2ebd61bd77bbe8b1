"""Count one network: in tvmlcnn, and in its peers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import tvmlcnn
from tools.peers.convert import UnavailableError
from tools.peers.job import Job
from tvmlcnn.analysis.counting import Figures, core, count_file
from tvmlcnn.errors import UserError
from tvmlcnn.files import scratch
from tvmlcnn.targets import Cpu, resolve

from .peers import PEERS, run_peer
from .results import Count
from .threads import predict, read_loops


def count(
    job: Job,
    names: Iterable[str],
    dtype: str,
    work: Path,
    progress: Callable[[str], None],
) -> Count:
    """Return the figures of one network; a peer's failure is its reason.

    Its result in tvmlcnn is not compared with torch's: `tvmlcnn compile` does that.

    Parameters
    ----------
    job : Job
        Whose target says which core. With several threads the file is for so many, and what they
        would take is predicted; one is counted.
    names : iterable of str
        Keys of `PEERS`.
    dtype : str
        What it is computed in.
    work : Path
        Folder of converted networks and of peers' figures; what is there already is used.
    progress : callable
        Called with what begins.

    Raises
    ------
    UserError
        If there is no model of the target's core; for several threads, if its clock or bandwidth
        is not known.
    """
    device = resolve(job.target)
    its_core = core(device.processor)
    assert isinstance(device, Cpu)
    if job.threads > 1 and not (device.peak_gflops and device.bandwidth_gbs):
        raise UserError(f"{job.target} has no clock and bandwidth to predict threads by")
    progress(f"{job.name}: compiling and counting")
    with scratch("count-") as folder:
        path = folder / "model.so"
        tvmlcnn.compile(
            job.module,
            job.target,
            job.input.shape,
            output=path,
            dtype=dtype,
            calibration="random" if dtype == "int8" else None,
            threads=job.threads,
            check=False,
            dump_ir=folder / "phases",
        )
        ours = count_file(path)
        prediction = None
        if job.threads > 1:
            (scheduled,) = (folder / "phases").glob("*-schedule.py")
            prediction = predict(ours, read_loops(scheduled), device, job.threads)
    peers: dict[str, Figures | str] = {}
    for name in names:
        progress(f"{job.name}: counting {PEERS[name].title}")
        try:
            peers[name] = run_peer(name, job, its_core, dtype, work)
        except UnavailableError as error:
            peers[name] = str(error)
    return Count(job.name, job.target, dtype, its_core, ours, peers, prediction)
