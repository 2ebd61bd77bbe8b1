"""Networks of views, joins, parts and outputs of every kind, drawn at random, against torch."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from executed import results_of
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from tvmlcnn import frontend, pipeline
from tvmlcnn.targets import DEVICES

X86 = DEVICES["x86"].with_cores(1)
Tensors = list[torch.Tensor]
STEPS: dict[
    str, Callable[[torch.Tensor, torch.Tensor, torch.nn.Module], torch.Tensor | Tensors]
] = {
    "relu": lambda x, y, net: torch.relu(x),
    "add": lambda x, y, net: x + y if x.shape == y.shape else x + 1,
    "weight": lambda x, y, net: net.weight,
    "scaled": lambda x, y, net: net.weight * x.mean(),
    "cat": lambda x, y, net: torch.cat([x, y], 1) if x.shape[2:] == y.shape[2:] else x,
    "chunk": lambda x, y, net: list(x.chunk(2, 1)),
    "flatten": lambda x, y, net: x.reshape(1, -1, 1, 1),
    "square": lambda x, y, net: x.reshape(1, -1, 2, 2) if x.numel() % 4 == 0 else x,
    "turn": lambda x, y, net: x.transpose(2, 3),
    "first": lambda x, y, net: x[:, :1],
    "pool": lambda x, y, net: torch.nn.functional.max_pool2d(x, 2) if x.shape[2] > 1 else x,
    "conv": lambda x, y, net: net.conv(x) if x.shape[1] == 4 else x,
    "same": lambda x, y, net: x,
}
steps = st.lists(
    st.tuples(st.sampled_from(sorted(STEPS)), st.integers(0, 30), st.integers(0, 30)),
    min_size=1,
    max_size=7,
)


class Drawn(torch.nn.Module):
    def __init__(self, plan: list[tuple[str, int, int]], returned: list[int]) -> None:
        super().__init__()
        self.plan, self.returned = plan, returned
        self.weight = torch.nn.Parameter(torch.arange(64.0).reshape(1, 4, 4, 4) / 8)
        self.conv = torch.nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, ...]:
        seen = [x, y]
        for name, one, two in self.plan:
            made = STEPS[name](seen[one % len(seen)], seen[two % len(seen)], self)
            seen += made if isinstance(made, list) else [made]
        return tuple(seen[number % len(seen)] for number in self.returned)


@given(steps, st.lists(st.integers(0, 30), min_size=1, max_size=5))
# To make a failing network smaller takes minutes; it is small as it is.
@settings(max_examples=20, deadline=None, derandomize=True, phases=[Phase.generate])
def test_all_outputs_are_torch_s(plan: list[tuple[str, int, int]], returned: list[int]) -> None:
    net = Drawn(plan, returned).eval()
    generator = np.random.default_rng(0)
    inputs = [generator.standard_normal((1, 4, 4, 4), dtype=np.float32) for _ in range(2)]
    mod = pipeline.run(frontend.import_graph(net, inputs).mod, X86)
    with torch.no_grad():
        expected = net(*map(torch.from_numpy, inputs))
    results = results_of(mod, inputs, X86)
    for found, wanted in zip(results, expected, strict=True):
        np.testing.assert_allclose(found, wanted.detach().numpy(), rtol=1e-5, atol=1e-5)
