"""What the decisions in a record mean."""

from __future__ import annotations

from collections.abc import Mapping

from tvmlcnn import plugins

VERSIONS: dict[str, int] = {
    "batched_product": 1,
    "default": 1,
    "dense": 5,
    "depthwise": 1,
    "depthwise_pairs": 1,
    "depthwise_pointwise": 1,
    "depthwise_products": 1,
    "dlight": 1,
    "dot_gemm": 1,
    "elementwise": 1,
    "few_channels": 1,
    "grouped": 1,
    "implicit_gemm": 2,
    "normalization": 1,
    "pointwise_depthwise": 1,
    "pooling": 1,
    "reduction": 1,
    "resample": 1,
    "row_product": 1,
    "rows": 1,
    "softmax": 1,
    "strassen": 1,
    "tensor_gemm": 1,
    "winograd": 1,
}
"""Version of each rule's decisions, as the rules say it: a list that needs no TVM to be read.

`tools/test --update-golden` writes it.
"""


def versions() -> Mapping[str, int]:
    """Return the version of each rule, those of other packages too.

    Only where there are such rules are they loaded, and TVM with them.

    Raises
    ------
    UserError
        If another package's rules cannot be loaded.
    """
    if not plugins.are_installed(plugins.RULES):
        return VERSIONS
    from tvmlcnn.schedules import rules_of_others

    others = (rule for rules in rules_of_others().values() for rule in rules)
    return VERSIONS | {rule.name: rule.version for rule in others}
