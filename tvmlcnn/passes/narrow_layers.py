"""Multiply numbers of sixteen bits: what layers read, and their weights, are rounded.

A variable that a convolution, a product or a pool reads, or what only moves it on its way there, is
rounded once, where it is computed, and all that read it read it so: rounding becomes the end of the
kernel that computes it. All else stays float32 in registers: what is added to sums, activations,
and what leads to the network's results alone.

On processors that add up in the type, sums are of the type too, and what element-wise operators
that round once make of them: twice as many fit a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial

import tvm
from tvm import relax

from tvmlcnn.graph.attributes import changed, ints
from tvmlcnn.graph.constants import value_of
from tvmlcnn.graph.narrowing import Narrowing, element_of, fits
from tvmlcnn.graph.pixel_operators import GATHER_FRAMES, INTERLEAVE, REGROUP
from tvmlcnn.graph.rebuilding import with_main
from tvmlcnn.graph.resample import RESAMPLE
from tvmlcnn.graph.variables import bindings, operands
from tvmlcnn.targets import FLOAT32, Device, ElementType

_CONVOLUTION, _PRODUCT = "relax.nn.conv2d", "relax.matmul"
_POOLS = ("relax.nn.max_pool2d", "relax.nn.avg_pool2d", "relax.nn.adaptive_avg_pool2d")
_MEAN = "relax.mean"
_MOVES = (
    *("relax.reshape", "relax.permute_dims", "relax.strided_slice", "relax.take", "relax.concat"),
    *("relax.split", "relax.squeeze", "relax.expand_dims", "relax.flatten", "relax.nn.pad"),
    *(INTERLEAVE, GATHER_FRAMES, REGROUP),
)
_ROUNDING_ONCE = (
    *("relax.add", "relax.subtract", "relax.multiply", "relax.clip", "relax.nn.relu"),
    *("relax.nn.relu6", "relax.nn.leakyrelu", "relax.maximum", "relax.minimum"),
)
# Input channels that a first convolution reads as they are, where its sums are of float32 anyway.
_FEW = 8


def narrow_layers(device: Device, element: ElementType) -> Callable[[tvm.IRModule], tvm.IRModule]:
    """Return the pass that has layers multiply numbers of a type; it does nothing for float32.

    Nor for what is rounded from float32 when it is multiplied.
    """
    if element.stored == FLOAT32.name:
        return lambda mod: mod
    longest = device.multiply_add(element).longest
    return partial(_narrow_layers, element=element, sums=device.sums(element), longest=longest)


def _narrow_layers(
    mod: tvm.IRModule, element: ElementType, sums: str, longest: int
) -> tvm.IRModule:
    main = mod["main"]
    rules = _Rules(element, sums, longest, list(main.params))
    wanted = _wanted(main, rules)
    returned = _bound(main, main.body.body)
    results = operands(returned)
    narrowing = Narrowing(element)
    params = [relax.Var(param.name, param.ty) for param in main.params]
    for old, new in zip(main.params, params, strict=True):
        narrowing.hold(old, new)
    with narrowing.builder.function("main", params):
        with narrowing.builder.dataflow():
            for binding in bindings(main):
                var = binding.var
                if binding.value.same_as(returned):
                    continue
                narrowing.hold(var, _rewritten(narrowing, rules, var, binding.value, wanted))
                if var in wanted and rules.is_number(var):
                    narrowing.round(var, keep=var in results)
            result = narrowing.builder.emit_output(narrowing.wide(returned))
        narrowing.builder.emit_func_output(result)
    return with_main(mod, narrowing.builder.get()["main"])


@dataclass(frozen=True)
class _Rules:
    """What is rounded.

    Attributes
    ----------
    element : ElementType
        Of sixteen bits.
    sums : str
        The type that products are added up in.
    longest : int
        Products that are added up in the type at most; 0 where they never are.
    inputs : list of relax.Var
        Of the network.
    """

    element: ElementType
    sums: str
    longest: int
    inputs: list[relax.Var]

    @property
    def sums_narrow(self) -> bool:
        """Whether sums are of the type too."""
        return self.sums == self.element.name

    def is_number(self, expr: relax.Expr) -> bool:
        """Tell whether an expression is a tensor, or several, of float32."""
        return element_of(expr) == FLOAT32.name

    def is_layer(self, value: relax.Expr) -> bool:
        """Tell whether an expression reads numbers of sixteen bits to sum them up."""
        if not _is_operator(value) or not self.is_number(value):
            return False
        name, attrs = value.op.name, value.attrs
        if name not in (_CONVOLUTION, _PRODUCT, _MEAN, *_POOLS):
            return False
        data = value.args[0]
        if not isinstance(data, relax.Var):
            return False
        rank = len(data.ty.shape)
        if name == _MEAN:
            axes = [] if attrs.axis is None else [axis % rank for axis in ints(attrs.axis)]
            return rank == 4 and sorted(axes) == [2, 3]
        if name in _POOLS:
            return "adaptive" not in name or ints(attrs.output_size) == [1, 1]
        weight = value_of(value.args[1])
        if weight is None or not fits(weight, self.element):
            return False
        if name == _PRODUCT:
            return weight.ndim == 2 and rank > 1
        groups = int(attrs.groups)
        if groups > 1 and self.longest and weight[0].size > self.longest:
            return False  # no kernel has chunks of groups
        few = data in self.inputs and weight.shape[1] * groups < _FEW
        return self.sums_narrow or not few

    def passes_on(self, value: relax.Expr) -> bool:
        """Tell whether an expression gives numbers of sixteen bits for such."""
        if not _is_operator(value):
            return isinstance(value, relax.Tuple | relax.TupleGetItem | relax.Var)
        if value.op.name == RESAMPLE:
            # Weights of a single element are those of outputs that are one input each.
            return all(len(weights.ty.shape) == 1 for weights in value.args[2::2])
        known = (*_MOVES, *_ROUNDING_ONCE) if self.sums_narrow else _MOVES
        arrays = [array for arg in value.args if (array := value_of(arg)) is not None]
        fit = all(fits(array, self.element) for array in arrays if array.dtype == FLOAT32.name)
        return value.op.name in known and self.is_number(value) and fit


def _is_operator(value: relax.Expr) -> bool:
    return isinstance(value, relax.Call) and isinstance(value.op, tvm.ir.Op)


def _bound(main: relax.Function, var: relax.Expr) -> relax.Expr:
    """Return what a variable is bound to."""
    return next(b.value for b in bindings(main) if b.var.same_as(var))


def _wanted(main: relax.Function, rules: _Rules) -> set[relax.Expr]:
    """Return the variables that layers read, also by way of operators that pass numbers on."""
    wanted: set[relax.Expr] = set()
    for binding in reversed(list(bindings(main))):
        if rules.is_layer(binding.value):
            wanted.add(binding.value.args[0])
        elif binding.var in wanted and rules.passes_on(binding.value):
            wanted.update(operands(binding.value))
    return wanted


def _rewritten(
    narrowing: Narrowing,
    rules: _Rules,
    var: relax.Var,
    value: relax.Expr,
    wanted: Collection[relax.Expr],
) -> relax.Expr:
    """Emit what a variable is bound to; return it, rounded or as it was."""
    if rules.is_layer(value):
        data, *others = value.args
        if value.op.name == _PRODUCT:
            weight = narrowing.narrow(others[0])
            made = relax.op.matmul(narrowing.narrow(data), weight, rules.sums)
        elif value.op.name == _CONVOLUTION:
            attrs = changed(value.attrs, out_dtype=rules.sums)
            made = relax.Call(value.op, [narrowing.narrow(arg) for arg in value.args], attrs)
        else:
            made = relax.Call(value.op, [narrowing.narrow(data)], value.attrs)
        return narrowing.emit(made, var)
    if var in wanted and rules.is_number(value) and rules.passes_on(value):
        return narrowing.emit(narrowing.narrowed(value), var)
    return narrowing.emit(narrowing.wide(value), var)
