"""Compute convolutions of few and wide groups as one convolution for each group.

A group of ResNeSt's or NFNet's is as wide as whole convolutions of other networks are, which
Winograd's filtering does in half the multiplications. Where channels are is known when the network
is compiled, so that neither cutting the data nor joining the results moves anything.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import tvm
from tvm import relax
from tvm.relax.expr_functor import PyExprMutator, mutator

from tvmlcnn.graph.attributes import ints
from tvmlcnn.graph.constants import constant, is_call_of, value_of
from tvmlcnn.graph.layer_of_call import element_of
from tvmlcnn.graph.variables import bindings, emitted
from tvmlcnn.ops import Window
from tvmlcnn.schedules import Convolution, planned
from tvmlcnn.targets import Device


def split_wide_groups(device: Device) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that splits such convolutions of ``main``."""
    return partial(_split, device=device)


def _split(mod: tvm.IRModule, device: Device) -> tvm.IRModule:
    main = mod["main"]
    wide = {
        binding.value: str(binding.var.name)
        for binding in bindings(main)
        if _is_wide(binding.value, device)
    }
    if not wide:
        return mod
    split = _Split(mod, wide)
    split.builder_.update_func(mod.get_global_var("main"), split.visit_expr(main))
    return split.builder_.finalize()


def _is_wide(value: relax.Expr, device: Device) -> bool:
    """Tell whether Winograd's filtering pays for each group of a convolution of several."""
    if not is_call_of(value, "relax.nn.conv2d") or int(value.attrs.groups) == 1:
        return False
    attrs, weight, element = value.attrs, value_of(value.args[1]), element_of(value)
    if weight is None or element is None or weight.shape[2:] != (3, 3):
        return False
    if (attrs.data_layout, attrs.kernel_layout) != ("NCHW", "OIHW"):
        return False
    window = Window(*(tuple(ints(getattr(attrs, n))) for n in ("strides", "padding", "dilation")))
    one = weight[: weight.shape[0] // int(attrs.groups)].transpose(2, 3, 1, 0)
    (batch, _, *size), out = ints(value.args[0].ty.shape), ints(value.ty.shape)
    shapes = (batch, *size, one.shape[2]), (batch, *out[2:], one.shape[3])
    layer = Convolution(element, shapes[0], one, shapes[1], window)
    return planned(layer, device).rule == "winograd"


@mutator
class _Split(PyExprMutator):
    def __init__(self, mod: tvm.IRModule, names: dict[relax.Expr, str]) -> None:
        """Take the names of the variables that the convolutions are bound to."""
        super().__init__(mod)
        self.names = names

    def visit_call_(self, call: relax.Call) -> relax.Expr:
        if call not in self.names:
            return super().visit_call_(call)
        attrs, weight = call.attrs, value_of(call.args[1])
        assert weight is not None
        groups = int(attrs.groups)
        data = self.builder_.emit(relax.op.split(self.visit_expr(call.args[0]), groups, 1))
        parts = []
        for number, own in enumerate(np.split(weight, groups)):
            part = self.builder_.emit(relax.TupleGetItem(data, number))
            convolution = relax.op.nn.conv2d(
                part, constant(own), attrs.strides, attrs.padding, attrs.dilation
            )
            # By its name the layer of each is known, and operations are counted.
            parts.append(emitted(self.builder_, convolution, f"{self.names[call]}.{number}"))
        return relax.op.concat(parts, 1)
