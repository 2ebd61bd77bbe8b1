"""A call of one of our workloads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tvm import relax, te

_OUT_ELEMENTWISE_FUSABLE = 4  # TVM's OpPatternKind of a convolution


@dataclass(frozen=True)
class Workload:
    """The TE definition of a kernel, its tensors, and a name for it."""

    define: Callable[..., te.Tensor]
    arguments: list[relax.Expr]
    name: str = "convolution"

    def call(self, builder: relax.BlockBuilder) -> relax.Call:
        """Return the call of the TensorIR function; element-wise kernels after it may join it."""
        return builder.call_te(
            self.define,
            *self.arguments,
            primfunc_name_hint=self.name,
            primfunc_attrs={"op_pattern": _OUT_ELEMENTWISE_FUSABLE},
        )
