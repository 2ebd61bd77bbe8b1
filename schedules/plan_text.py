"""Plans as text, in which form they travel with a function."""

from __future__ import annotations

import json
from dataclasses import asdict, fields, is_dataclass
from typing import Any, get_args, get_origin, get_type_hints

from tvmlcnn.targets import CODES, ELEMENT_TYPES

from .rule import Plan, Rule

ATTRIBUTE = "tvmlcnn.plan"
"""The attribute of a function that holds its plan."""


def to_text(plan: Plan) -> str:
    """Return all of a plan but the definition, as JSON."""
    return json.dumps(
        {
            "rule": plan.rule,
            "element": plan.element.name,
            "workload": plan.workload,
            "layout": None if plan.layout is None else asdict(plan.layout),
        }
    )


def from_text(text: str, rules: dict[str, Rule]) -> Plan:
    """Return the plan of a text; the rules, by name, know the type of its layout."""
    data = json.loads(text)
    layout = _read(rules[data["rule"]].layout, data["layout"])
    return Plan(data["rule"], (ELEMENT_TYPES | CODES)[data["element"]], data["workload"], layout)


def _read(kind: Any, value: Any) -> Any:
    """Return JSON as a value of a type: of a dataclass, a tuple, or one of JSON's own."""
    if isinstance(kind, type) and is_dataclass(kind):
        types = get_type_hints(kind)
        return kind(**{f.name: _read(types[f.name], value[f.name]) for f in fields(kind)})
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in value)
    return value
