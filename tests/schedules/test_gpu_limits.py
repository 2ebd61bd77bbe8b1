"""A schedule that takes more than a block may have: dlight takes its kernel, and it is said why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest
import tvm
from tvm import te, topi
from tvm.s_tir import Schedule

from tvmlcnn import schedules
from tvmlcnn.schedules import ATTRIBUTE, Plan, Rule, given_up, kernels_by_rule, to_text
from tvmlcnn.targets import DEVICES, FLOAT32

CUDA = DEVICES["cuda"]


@dataclass(frozen=True)
class Staged:
    """How many numbers a block stages in shared memory, and how many threads it has."""

    count: int
    threads: int
    scope: str


def _lay_out(sch: Schedule, plan: Plan, device: Any, decisions: Any) -> Schedule:
    layout = plan.layout
    block = sch.get_sblock("compute")
    fused = sch.fuse(*sch.get_loops(block))
    outer, inner, threads = sch.split(fused, [None, layout.count // layout.threads, layout.threads])
    sch.bind(outer, "blockIdx.x")
    sch.bind(threads, "threadIdx.x")
    staged = sch.cache_read(block, 0, layout.scope)
    sch.compute_at(staged, outer)
    *_, inner = sch.get_loops(staged)
    _, threads = sch.split(inner, [None, layout.threads])
    sch.bind(threads, "threadIdx.x")
    return sch


GREEDY = Rule("greedy", 1, Staged, lambda layer, device, decisions: None, _lay_out)


def scheduled(monkeypatch: pytest.MonkeyPatch, layout: Staged) -> tvm.IRModule:
    monkeypatch.setitem(schedules.RULES, "cuda", (GREEDY, *schedules.RULES["cuda"]))
    data = te.placeholder((1 << 18,), "float32", "data")
    function = te.create_prim_func([data, topi.nn.relu(data)])
    function = function.with_attr(ATTRIBUTE, to_text(Plan("greedy", FLOAT32, "", layout)))
    return schedules.schedule(tvm.IRModule({"main": function}), CUDA)


@pytest.mark.parametrize(
    "layout",
    [
        Staged(12 * 1024, 1024, "shared"),  # 48 KiB, which every block may have
        Staged(16 * 1024, 1024, "shared.dyn"),  # 64 KiB, which it may ask for
    ],
)
def test_what_fits_is_kept(layout: Staged, monkeypatch: pytest.MonkeyPatch) -> None:
    mod = scheduled(monkeypatch, layout)
    assert kernels_by_rule(mod) == {"greedy": ["main"]}
    assert given_up(mod) == {}


@pytest.mark.parametrize(
    ("layout", "reason"),
    [
        (
            Staged(16 * 1024, 256, "shared"),
            "greedy takes 65536 bytes of shared memory, where a block has 49152",
        ),
        (
            Staged(32 * 1024, 256, "shared.dyn"),
            "greedy takes 131072 bytes of shared memory, where a block may ask for 65536",
        ),
        (Staged(2048, 2048, "shared"), "greedy takes more than 1024 threads of a block"),
    ],
)
def test_what_does_not_fit_falls_back(
    layout: Staged, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    mod = scheduled(monkeypatch, layout)
    assert kernels_by_rule(mod) == {"dlight": ["main"]}
    assert given_up(mod) == {"main": reason}
