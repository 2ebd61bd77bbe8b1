"""What kernels execute and touch: known of small ones from how they are written."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from cuda_kernels import ARCHITECTURES, compiled, executed
from hypothesis import given, settings
from hypothesis import strategies as st

from tvmlcnn.analysis.cuda.emulation import Executed
from tvmlcnn.analysis.cuda.machine import UnknownError
from tvmlcnn.analysis.cuda.sass import listings

PRODUCTS = """
__shared__ float s[256];
float sum[4] = {0};
#pragma unroll 1
for (int r = 0; r < 17; r++) {
  s[t] = a[(g * 17 + r) * 256 + t];
  __syncthreads();
  for (int k = 0; k < 60; k++) for (int u = 0; u < 4; u++) sum[u] += s[k * 4 + u] * s[t];
  __syncthreads();
}
for (int u = 0; u < 4; u++) b[(g * 256 + t) * 4 + u] = sum[u];
"""


PARTING = """
float sum = 0;
#pragma unroll 1
for (int k = 0; k < t; k++) sum += a[k] * a[k + 1];
if (t < 40) b[t] = sum;
"""
LOOP_OF_DATA = """
float x = a[t];
int n = i[0];
#pragma unroll 1
for (int k = 0; k < n; k++) x *= x;
b[t] = x;
"""
EXPRESSIONS = {
    "quotients": ("n / 7 * 56 + n % 7", lambda n: n // 7 * 56 + n % 7),
    "division of what is negative": ("(n - 500) / 9 + 4000", lambda n: int((n - 500) / 9) + 4000),
    "clamped": ("min(max(n * 3 - 400, 0), 900) * 8", lambda n: min(max(n * 3 - 400, 0), 900) * 8),
    "chosen": ("(n % 5 < 2 ? n * 8 : n * 16 + 3)", lambda n: n * 8 if n % 5 < 2 else n * 16 + 3),
    "shifted": (
        "((n << 5) ^ (n >> 3)) & 0x1ffc | (n & 1) << 14",
        lambda n: ((n << 5) ^ (n >> 3)) & 0x1FFC | (n & 1) << 14,
    ),
    "far": ("(long long)n * 70000000LL", lambda n: n * 70000000),
    "before": ("100000 - n * 24", lambda n: 100000 - n * 24),
    "three sides": (
        "n / 196 * 800 + n % 196 / 14 * 56 + n % 14 * 2",
        lambda n: n // 196 * 800 + n % 196 // 14 * 56 + n % 14 * 2,
    ),
}


BODIES = {
    "products": PRODUCTS,
    "parting": PARTING,
    "guarded": "int n = g * 128 + t; if (n < 300) b[n] = a[n * 8] * 2.0f;",
    "quotient": "b[t] = a[t] / a[t + 32];",
    "told by data": "if (a[t] > 0) b[t] = 1;",
    "gathered": "b[i[t]] = a[t];",
    "loop of data": LOOP_OF_DATA,
    **{
        name: f"int n = g * 96 + t; b[{written}] = a[{written}];"
        for name, (written, _) in EXPRESSIONS.items()
    },
}


Runner = Callable[[str, int, int], Executed]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def run(request: pytest.FixtureRequest) -> Runner:
    """Run one of the kernels, compiled for one of the architectures."""
    kernels = dict(zip(BODIES, compiled(list(BODIES.values()), request.param), strict=True))
    return lambda name, grid, block: executed(kernels[name], grid, block, request.param)


def test_loops_in_loops(run: Runner) -> None:
    """However the compiler unrolls them."""
    did = run("products", 2, 256)
    assert did.instructions["FFMA"] == 2 * 8 * 17 * 60 * 4
    assert did.instructions["LDG"] == 2 * 8 * 17
    assert did.instructions["BAR"] == 2 * 8 * 17 * 2
    assert did.of_blocks == {"load": 2 * 17 * 256 / 8, "store": 2 * 256 * 4 / 8}
    # A warp's store of every fourth number touches what its other three do.
    assert did.sectors["load"] == did.of_blocks["load"]
    assert did.sectors["store"] in {4 * did.of_blocks["store"], did.of_blocks["store"]}
    assert not did.assumed


def test_threads_that_part(run: Runner) -> None:
    """A warp runs as long as the longest of its threads."""
    did = run("parting", 1, 64)
    assert did.instructions["FFMA"] == 31 + 63
    assert did.sectors["store"] == 5
    assert did.of_blocks["load"] == 8


def test_bounds_that_guard(run: Runner) -> None:
    """What a guard switches off touches no memory."""
    assert run("guarded", 3, 128).of_blocks == {"load": 300, "store": 38}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_addresses(name: str, run: Runner) -> None:
    """The integers that lead to a sector are those that C has."""
    computed = EXPRESSIONS[name][1]
    did = run(name, 5, 96)
    touched = {(n // 96, computed(n) // 8) for n in range(480)}
    asked = {(n // 32, computed(n) // 8) for n in range(480)}
    assert did.of_blocks == {"load": len(touched), "store": len(touched)}
    assert did.sectors == {"load": len(asked), "store": len(asked)}


def test_quotients_of_floats_take_the_ordinary_way(run: Runner) -> None:
    did = run("quotient", 1, 32)
    assert did.instructions["FCHK"] == 1
    assert did.instructions["CALL"] == 0
    assert did.sectors["store"] == 4


def test_what_depends_on_data_is_counted_where_it_may_happen(run: Runner) -> None:
    did = run("told by data", 1, 32)
    assert did.sectors["store"] == 4
    assert did.assumed


def test_an_address_of_data_is_a_sector_for_each_lane(run: Runner) -> None:
    did = run("gathered", 2, 64)
    assert did.sectors == {"load": 2 * 8 + 2 * 8, "store": 2 * 64}
    assert did.of_blocks["store"] == 2 * 64
    assert did.assumed


def test_a_loop_of_data_is_not_counted(run: Runner) -> None:
    with pytest.raises(UnknownError, match="data decide"):
        run("loop of data", 1, 32)


@pytest.mark.long
@settings(max_examples=6, deadline=None)
@given(
    scale=st.integers(1, 40),
    divisor=st.integers(2, 60),
    offset=st.integers(-300, 300),
    bound=st.integers(1, 600),
)
def test_any_address(scale: int, divisor: int, offset: int, bound: int) -> None:
    body = f"""
    int n = g * 64 + t;
    int m = (n * {scale} + {offset}) / {divisor};
    if (n * {scale} % {divisor} < {divisor // 2} || n > {bound}) b[m * 8 + 4000] = a[m + 400];
    """

    def quotient(n: int) -> int:
        return int(np.trunc((n * scale + offset) / divisor))

    wrote = [n for n in range(256) if n * scale % divisor < divisor // 2 or n > bound]
    did = executed(compiled([body], "sm_87")[0], 4, 64)
    assert did.of_blocks == {
        "load": len({(n // 64, (quotient(n) + 400) // 8) for n in wrote}),
        "store": len({(n // 64, quotient(n)) for n in wrote}),
    }


STACK = """
.text.f0:
/*0000*/ S2R R0, SR_TID.X ;
/*0010*/ MOV R7, 0x80 ;
/*0020*/ IMAD.WIDE R4, R0, R7, c[0x0][0x160] ;
/*0030*/ STL.64 [R1+0x8], R4 ;
/*0040*/ CS2R R4, SRZ ;
/*0050*/ LDL.64 R8, [R1+0x8] ;
/*0060*/ LDG.E R2, [R8.64] ;
/*0070*/ EXIT ;
"""


def test_addresses_come_back_from_the_stack() -> None:
    did = executed(listings(STACK)["f0"], 1, 32)
    assert not did.assumed
    assert did.sectors["load"] == 32


def test_blocks_that_run_at_a_time_ask_once() -> None:
    """Of what all of three blocks read, and each of them writes a part of its own."""
    (kernel,) = compiled(["b[g * 64 + t] = a[t];"], "sm_87")
    apart, together = (executed(kernel, 3, 64, together=each) for each in (False, True))
    assert apart.of_blocks == {"load": 3 * 8, "store": 3 * 8}
    assert together.of_blocks == {"load": 8, "store": 3 * 8}


def test_some_lanes_call() -> None:
    """A quotient of some threads, for which the compiler calls a function where it is unusual."""
    (kernel,) = compiled(["if (t < 20) b[t] = 1.0f / (1.0f + a[t]) / a[t + 64];"], "sm_87")
    assert executed(kernel, 1, 64).of_blocks["store"] == 3
