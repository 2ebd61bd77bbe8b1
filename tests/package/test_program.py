"""The program of a network in two forms, which compute the same."""

from __future__ import annotations

import numpy as np
import pytest
import tvm
from lowered import X86, expected, lowered
from tvm import relax

from tvmlcnn.package import program
from tvmlcnn.runtime.manifest import PROGRAM, STEPWISE


@pytest.fixture(scope="module")
def built() -> tuple[relax.VMExecutable, list[np.ndarray]]:
    mod, weights = lowered()
    return program.build(mod, X86), weights


@pytest.mark.parametrize("name", [PROGRAM, PROGRAM + STEPWISE])
def test_both_compute_the_network(
    name: str, built: tuple[relax.VMExecutable, list[np.ndarray]]
) -> None:
    executable, weights = built
    x = np.random.default_rng(0).standard_normal((2, 4), dtype=np.float32)
    machine = relax.VirtualMachine(executable, tvm.cpu())
    tensors = [tvm.runtime.tensor(array) for array in weights]
    (result,) = machine[name](tvm.runtime.tensor(x), tensors)
    np.testing.assert_allclose(result.numpy(), expected(x), rtol=1e-6)


def test_only_the_stepwise_form_is_observed(
    built: tuple[relax.VMExecutable, list[np.ndarray]],
) -> None:
    """The machine calls back for each kernel of the bytecode; machine code calls kernels itself."""
    executable, weights = built
    tensors = [tvm.runtime.tensor(array) for array in weights]
    x = tvm.runtime.tensor(np.zeros((2, 4), np.float32))
    seen: dict[str, list[str]] = {}
    for name in (PROGRAM, PROGRAM + STEPWISE):
        machine = relax.VirtualMachine(executable, tvm.cpu())
        seen[name] = []

        def observe(function: object, symbol: str, before: bool, *rest: object) -> None:
            if before and "fused" in symbol:
                seen[name].append(symbol)  # noqa: B023

        machine.set_instrument(observe)
        machine[name](x, tensors)
    assert seen[PROGRAM] == []
    assert seen[PROGRAM + STEPWISE] == ["fused_multiply_add_tir_relu"]
