"""What the package says of itself, of models and of reports, in a prompt and in a notebook."""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
from pathlib import Path

import tvmlcnn
from tvmlcnn.compile_report import Report


def report(**fields: object) -> Report:
    base = {
        "path": Path("net-x86.so"),
        "size": 1_240_000,
        "target": "x86",
        "kernels": {"dense": ["a", "b"], "default": ["c"]},
        "records": {"tuned": 1, "default": 0, "of": 2},
        "default_rule": "default",
        "given_up": {},
        "turned_back": [],
        "check": {"max_error": 2e-7, "cases": ["random", "zeros"], "where": "here"},
        "seconds": {"export": 1.25, "link": 0.01},
        "warnings": ["a <b>"],
        "quantization": None,
        "manifest": {"random_weights": True, "dtype": "float32"},
    }
    return Report(**(base | fields))  # type: ignore[arg-type]


def test_the_version_is_that_of_the_package_and_costs_no_import() -> None:
    assert tvmlcnn.__version__ == importlib.metadata.version("tvmlcnn")
    heavy = "{'torch', 'tvm', 'numpy'} & set(sys.modules)"
    code = f"import sys, tvmlcnn; print(tvmlcnn.__version__, *{heavy})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == [tvmlcnn.__version__]


def test_a_report_says_in_a_line_what_was_made() -> None:
    assert repr(report()) == (
        "<tvmlcnn.Report net-x86.so, 1.2 MB for x86, 3 kernels; check: max error 2.0e-07 of the "
        "output's range (random, zeros input; here); 1 warning>"
    )
    assert "not done: a GPU" in repr(report(check={"skipped": "a GPU"}))


def test_facts_are_those_of_the_command() -> None:
    facts = dict(report().facts())
    assert facts["weights"] == "RANDOM, none were given"
    assert facts["seconds"] == "export 1.2"
    assert facts[""] == "total 1.3"
    assert "link 0.0" in dict(report().facts(every_phase=True))["seconds"]


def test_a_notebook_gets_a_table_without_markup_of_others() -> None:
    shown = report()._repr_html_()
    assert shown.startswith("<table>")
    assert "a &lt;b&gt;" in shown
    assert "net-x86.so" in shown
