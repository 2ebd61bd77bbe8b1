"""The command ``tvmlcnn``: one file a verb, which is imported when it is called."""

from __future__ import annotations

import importlib
import os
import sys
from typing import NoReturn

import click

from tvmlcnn.errors import UserError
from tvmlcnn.files import NO_ROOM

from . import interrupts, messages, mistakes

# Name of the verb and its file: the line that the help shows.
_VERBS = {
    "compile": "Compile a network into one file for a target.",
    "run": "Run a compiled model on a photo or an array.",
    "bench": "Measure the latency of a compiled model.",
    "profile": "Time each kernel of a compiled model, against what the machine can do.",
    "inspect": "Print what a compiled model says of itself.",
    "bundle": "Write a folder with a compiled model, its header and examples.",
    "header": "Print the header by which C programs call a compiled model.",
    "analyze": "Count what a network computes and moves, and what bounds its speed.",
    "models": "List the networks of the zoo.",
    "targets": "List the devices to compile for.",
    "tune": "Measure kernels on a device, and record what is faster.",
    "records": "List, merge, export and prune what tuning found.",
    "device": "Run on other machines: serve a board, track and list a fleet.",
}


class _Verbs(click.Group):
    """Imports a verb when it is called, so that ``--help`` loads neither torch nor TVM."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _VERBS:
            return None
        return importlib.import_module(f"tvmlcnn.cli.{cmd_name}").command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except UserError as error:
            verb = self.get_command(ctx, ctx.invoked_subcommand or "")
            raise click.ClickException(mistakes.message(error, verb or self)) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_VERBS.items()))


@click.group(cls=_Verbs, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="tvmlcnn")
def _tvmlcnn() -> None:
    """Light convolutional networks, compiled into one fast file for ARM, x86 and CUDA."""


def main() -> NoReturn:
    """Run the command line; exit with 0, 2 for a user's mistake, or 130 when interrupted."""
    interrupts.install()
    messages.install()
    try:
        _tvmlcnn(standalone_mode=False, complete_var="_TVMLCNN_COMPLETE")
        if sys.stdout is not None:  # which it is where the output is closed
            sys.stdout.flush()
    except click.UsageError as error:
        hint = f"; see {error.ctx.command_path} --help" if error.ctx else ""
        _fail(" ".join(error.format_message().split()).rstrip(".") + hint)
    except click.ClickException as error:
        _fail(error.format_message())
    except BrokenPipeError:
        sys.exit(141)
    except OSError as error:
        if not _of_output(error):
            raise
        _fail(f"cannot write the output: {error.strerror}")
    except BaseException as error:
        # A model's code may raise it too, and click raises another of it.
        if not interrupts.came() and not isinstance(error.__cause__, KeyboardInterrupt):
            raise
        click.echo("interrupted", err=True)
        sys.exit(130)
    sys.exit(0)


def _of_output(error: OSError) -> bool:
    """Tell whether an error is of printing, where a disk is full: nothing more is printed then."""
    if error.errno not in NO_ROOM or error.filename is not None:
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # where Python flushes what is left
    return True


def _fail(message: str) -> NoReturn:
    click.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(2)
