"""The documentation: links that lead somewhere, commands and options that exist."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from conftest import ROOT

from tvmlcnn.cli import _tvmlcnn

sys.path.insert(0, str(ROOT))  # tools/ is no package that is installed

from tools.attack.__main__ import command as attack
from tools.cliffs.__main__ import command as cliffs
from tools.count.__main__ import command as count
from tools.count_cuda.__main__ import command as count_cuda
from tools.peers.__main__ import command as peers

PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")])
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))

FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")


def anchors(page: Path) -> set[str]:
    """Return the anchors that GitHub gives to the headings of a page."""
    prose = FENCED.sub("", page.read_text("utf-8"))
    headings = re.findall(r"^#+ (.*)$", prose, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(FENCED.sub("", page.read_text("utf-8"))):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = page.parent / name if name else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def commands(page: Path) -> Iterator[list[str]]:
    """Yield the words of each command in code, without the prompt; brackets are left out."""
    text = page.read_text("utf-8")
    lines = "\n".join(FENCED.findall(text)).replace("\\\n", " ").splitlines()
    inline = re.findall(r"`([^`]+)`", FENCED.sub("", text))
    for line in [*lines, *inline]:
        command = re.sub(r"[\[\]]", "", line.removeprefix("$ "))
        if re.match(r"(tvmlcnn|python|bash|tools/\w+)\s", command):
            yield shlex.split(command, comments=True)


def check_options(command: click.Command, words: list[str]) -> None:
    """Assert that the verbs and options are the command's."""
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        verb, *words = words
        context = click.Context(command)
        assert verb in command.list_commands(context), verb
        found = command.get_command(context, verb)
        assert found is not None
        command = found
    known = {name for parameter in command.params for name in parameter.opts}
    known |= {"-h", "--help"}
    given = {word.partition("=")[0] for word in words if word.startswith("-")}
    assert given <= known, (command.name, given - known)


def check_script(script: str, words: list[str]) -> None:
    """Assert that a script of tools/ exists, and that the long options given stand in it."""
    text = (ROOT / script).read_text("utf-8")
    for word in words:
        if word.startswith("--"):
            assert word.partition("=")[0] in text, (script, word)


@each_page
def test_commands_exist(page: Path) -> None:
    for words in commands(page):
        if "--" in words:  # a command in the emulator
            place = words.index("--")
            words, inner = words[:place], words[place + 1 :]
            if inner[:3] == ["python", "-m", "tvmlcnn"]:
                check_options(_tvmlcnn, inner[3:])
        match words:
            case ["tvmlcnn", *rest] | ["python", "-m", "tvmlcnn", *rest]:
                check_options(_tvmlcnn, rest)
            case ["python", "-m", "tools.peers", *rest]:
                check_options(peers, rest)
            case ["python", "-m", "tools.count", *rest]:
                check_options(count, rest)
            case ["python", "-m", "tools.count_cuda", *rest]:
                check_options(count_cuda, rest)
            case ["python", "-m", "tools.attack", *rest]:
                check_options(attack, rest)
            case ["python", "-m", "tools.cliffs", *rest]:
                check_options(cliffs, rest)
            case ["python", "-m", module, *rest] if module.startswith("tools."):
                check_script(module.replace(".", "/") + ".py", rest)
            case ["python" | "bash", script, *rest] if script.startswith("tools/"):
                check_script(script, rest)
            case [script, *rest] if script.startswith("tools/"):
                check_script(script, rest)


def test_commands_are_found() -> None:
    found = [" ".join(words) for page in PAGES for words in commands(page)]
    assert "bash tools/test" in found
    assert any(command.startswith("tvmlcnn compile") for command in found)
    assert any(command.startswith("python -m tools.peers") for command in found)
