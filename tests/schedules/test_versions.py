"""The versions that records are kept by are those that the rules state."""

from __future__ import annotations

import re
import runpy

from conftest import ROOT
from golden import Golden

from tvmlcnn.schedules import RULES

FILE = ROOT / "tvmlcnn" / "records" / "versions.py"
ALL = [rule for rules in RULES.values() for rule in rules]


def test_versions_are_those_of_the_rules(golden: Golden) -> None:
    """The list is kept apart, so that records are read without TVM."""
    versions = {rule.name: rule.version for rule in sorted(ALL, key=lambda rule: rule.name)}
    literal = "".join(f'    "{name}": {version},\n' for name, version in versions.items())
    text, count = re.subn(
        r"(?s)(\nVERSIONS: dict\[str, int\] = \{\n).*?(\})",
        lambda match: f"{match[1]}{literal}{match[2]}",
        FILE.read_text(),
    )
    assert count == 1
    golden.check(FILE, text)
    assert runpy.run_path(str(FILE))["VERSIONS"] == versions


def test_rules_of_one_name_have_one_version() -> None:
    """Of different families too: a record says no more than the name."""
    assert len({rule.name for rule in ALL}) == len({(rule.name, rule.version) for rule in ALL})
