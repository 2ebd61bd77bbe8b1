"""What a shell completes: names of networks, targets and rules, and files.

``eval "$(_TVMLCNN_COMPLETE=bash_source tvmlcnn)"`` has bash do it, ``zsh_source`` and
``fish_source`` the others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _completing(names: Callable[[], Iterable[str]], files: bool) -> Complete:
    """Return what completes one of some names, or else a file."""

    def complete(
        ctx: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
        return found or ([CompletionItem(incomplete, type="file")] if files else [])

    return complete


def _models() -> Iterable[str]:
    from tvmlcnn.zoo_listing import listing

    return [entry.name for entry in listing()]


def _targets() -> Iterable[str]:
    from tvmlcnn.targets import ALIASES, AT_HAND, devices

    return sorted([*devices(), *ALIASES, *AT_HAND])


def _rules() -> Iterable[str]:
    from tvmlcnn.records import versions

    return sorted(versions())


models = _completing(_models, files=True)
targets = _completing(_targets, files=False)
rules = _completing(_rules, files=False)
files = _completing(lambda: (), files=True)
