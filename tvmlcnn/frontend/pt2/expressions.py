"""The texts of sizes and of guards, which torch has Python evaluate."""

from __future__ import annotations

import ast
import re

_LONGEST = 4000  # characters; what torch writes has some hundred
_LARGEST = 2**63  # as sizes have it
_GREATEST_POWER = 8
"""Exponents, and bases that are numbers, stay below: 9**9**9 takes all memory there is."""

_SYMBOL = re.compile(r"[a-z]+\d+")  # s77, u0, zuf3
_TEXTS = {"Symbol": re.compile(r"[^\W\d]\w*"), "Float": re.compile(r"[\d.e+-]+|[+-]?(inf|nan)")}
"""What the first argument of these may be as a text."""
_MOST_DIGITS = 1024  # of a keyword, as precision=53
_FUNCTIONS = frozenset(
    {
        *(
            "Symbol",
            "Integer",
            "Float",
            "Rational",
            "Add",
            "Mul",
            "Pow",
            "Max",
            "Min",
            "Mod",
            "Abs",
        ),
        *("Eq", "Ne", "Lt", "Le", "Gt", "Ge", "Equality", "Unequality", "And", "Or", "Not"),
        *("LessThan", "GreaterThan", "StrictLessThan", "StrictGreaterThan", "floor", "ceiling"),
        *("Piecewise", "ExprCondPair", "Tuple", "Where", "FloorDiv", "CeilDiv", "CleanDiv"),
        *("ModularIndexing", "PythonMod", "FloatTrueDiv", "IntTrueDiv", "CeilToInt", "FloorToInt"),
        *("TruncToFloat", "TruncToInt", "RoundToInt", "ToFloat", "Identity"),
    }
)
"""Classes of sympy, and of ``torch.utils._sympy.functions``, that are written for a size."""
_VALUES = frozenset({"true", "false", "oo", "int_oo", "zoo", "nan", "inf"})
_OF_GUARDS = frozenset({"math.isnan", "math.floor", "math.ceil", "math.trunc", "max", "min", "abs"})
_METHODS = frozenset({"size", "stride", "storage_offset", "dim", "numel"})
_OPERATIONS = (
    ast.Expression,
    ast.Load,
    ast.BinOp,
    ast.UnaryOp,
    ast.BoolOp,
    ast.Compare,
    ast.operator,
    ast.unaryop,
    ast.boolop,
    ast.cmpop,
)


def is_size(text: str) -> bool:
    """Tell whether a text is an expression of sizes, as sympy's ``srepr`` writes it or by signs."""
    tree = _parsed(text)
    if tree is None:
        return False
    nodes = list(ast.walk(tree))
    calls = [node for node in nodes if isinstance(node, ast.Call) and _is_known(node)]
    allowed = [call.func for call in calls] + [call.args[0] for call in calls if _has_text(call)]
    return all(node in allowed or node in calls or _is_of_sizes(node) for node in nodes)


def is_guard(text: str) -> bool:
    """Tell whether a text compares sizes of inputs, as ``L['x'].size()[0] == 3``."""
    tree = _parsed(text)
    try:
        return tree is not None and _is_of_inputs(tree)
    except RecursionError:
        return False


def _parsed(text: str) -> ast.Expression | None:
    if len(text) > _LONGEST or not text.isprintable():
        return None
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return tree if all(_is_small(node) for node in ast.walk(tree)) else None


def _is_small(node: ast.AST) -> bool:
    """Tell whether a node makes no number that is absurdly large."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        return _is_small_power(node.left, node.right)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.LShift):
        return False
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Pow":
        return len(node.args) == 2 and _is_small_power(*node.args)
    if isinstance(node, ast.Constant) and isinstance(node.value, int):
        return node.value < _LARGEST
    return True


def _is_small_power(base: ast.expr, exponent: ast.expr) -> bool:
    try:
        power = ast.literal_eval(_number(exponent))
    except ValueError:
        return False
    if not isinstance(power, int | float) or abs(power) > _GREATEST_POWER:
        return False
    return not any(_is_power(node) for node in ast.walk(base))


def _number(node: ast.expr) -> ast.expr:
    """Return the number in ``Integer(2)``, and anything else as it is."""
    written = isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and len(node.args) == 1
    if written and node.func.id in ("Integer", "Float"):  # type: ignore[attr-defined]
        return node.args[0]  # type: ignore[attr-defined]
    return node


def _is_power(node: ast.AST) -> bool:
    return isinstance(node, ast.Pow) or (isinstance(node, ast.Name) and node.id == "Pow")


def _is_of_sizes(node: ast.AST) -> bool:
    if isinstance(node, _OPERATIONS):
        return True
    if isinstance(node, ast.Name):
        return node.id in _VALUES or _SYMBOL.fullmatch(node.id) is not None
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float)
    return (
        isinstance(node, ast.keyword)  # as positive=True
        and isinstance(node.value, ast.Constant)
        and _is_short(node.value.value)
    )


def _is_known(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id in _FUNCTIONS


def _has_text(call: ast.Call) -> bool:
    """Tell whether a call's first argument is the name of a symbol, or the digits of a number."""
    known = _TEXTS.get(call.func.id) if isinstance(call.func, ast.Name) else None
    first = call.args[0] if call.args else None
    if known is None or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return False
    return known.fullmatch(first.value) is not None


def _is_short(value: object) -> bool:
    return isinstance(value, int) and value <= _MOST_DIGITS


def _is_of_inputs(node: ast.AST) -> bool:
    """Tell whether an expression, with all below it, only asks inputs for their sizes."""
    if isinstance(node, ast.Constant):
        return isinstance(node.value, int | float | bool | None)
    if isinstance(node, ast.Name | ast.Attribute):
        return ast.unparse(node) in ("math.inf", "inf")
    if isinstance(node, ast.Subscript):
        return _is_input(node) or (_is_asked(node.value) and _is_place(node.slice))
    if isinstance(node, ast.Call):
        if _is_asked(node):
            return True
        known = not node.keywords and ast.unparse(node.func) in _OF_GUARDS
        return known and all(map(_is_of_inputs, node.args))
    return isinstance(node, _OPERATIONS) and all(map(_is_of_inputs, ast.iter_child_nodes(node)))


def _is_input(node: ast.AST) -> bool:
    """Tell whether an expression is an input, as ``L['x']`` or ``L['flat_args'][0]``."""
    if isinstance(node, ast.Name):
        return node.id == "L"
    return isinstance(node, ast.Subscript) and _is_input(node.value) and _is_place(node.slice)


def _is_place(node: ast.expr) -> bool:
    if not isinstance(node, ast.Constant):
        return False
    return isinstance(node.value, int) or (
        isinstance(node.value, str) and node.value.isidentifier()
    )


def _is_asked(node: ast.AST) -> bool:
    """Tell whether an expression is a call as ``L['x'].size()``."""
    return (
        isinstance(node, ast.Call)
        and not node.args
        and not node.keywords
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _METHODS
        and isinstance(node.func.value, ast.Subscript)
        and _is_input(node.func.value)
    )
