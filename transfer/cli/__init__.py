"""The command line: words to the functions of the package, nothing of its own."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

import transfer
from transfer.cli.augmenting import augment
from transfer.cli.data import check, clean
from transfer.cli.finding import features, similar
from transfer.cli.keeping import cache
from transfer.cli.learning import compare, train
from transfer.cli.opening import explain
from transfer.cli.option_names import with_options
from transfer.cli.rates import lr
from transfer.cli.records import GroupedCommand
from transfer.cli.reporting import report
from transfer.cli.serving import serve
from transfer.cli.show import one_line, progress, show_line
from transfer.cli.standard_streams import escape_what_is_missing, open_closed, said_of
from transfer.cli.tour import demo
from transfer.cli.using import backbones, evaluate, export, predict
from transfer.errors import TransferError
from transfer.rooms import own_temporary_folder
from transfer.stopping import BY_CTRL_C, EXIT_CODE, INTERRUPTED, is_stopping, sigterm_as_ctrl_c


def _show_version(wanted: bool) -> None:
    if wanted:
        show_line(f"transfer {transfer.__version__}")
        raise typer.Exit


app = typer.Typer(
    help="Recognise what is in your pictures: retrain a pretrained network on labelled folders, and see "
    "whether it is better than one from scratch.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="print the version")
    ] = False,
) -> None:
    """What stands before the command."""


COMMANDS = (
    check, clean, augment, train, compare, lr, evaluate, predict, explain, features, similar, report, export, serve,
    backbones, cache, demo,
)  # fmt: skip
for command in COMMANDS:
    app.command(cls=GroupedCommand)(command)


# Typer has a copy of Click of its own, older ones use the library: the classes of the one that is in use.
_UsageError = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "UsageError")


def main() -> None:
    """Run the command line; errors that a user can mend end it with one sentence and exit code 2."""
    open_closed()
    escape_what_is_missing()
    with sigterm_as_ctrl_c(), own_temporary_folder():
        code = _run()
        if is_stopping():
            if code:  # a training that was stopped has said so
                progress.print("transfer: stopped by SIGTERM")
            code = EXIT_CODE
        elif code == INTERRUPTED:
            progress.print(BY_CTRL_C)
    sys.exit(code)


def _run() -> int:
    """The exit code of the command that was typed."""
    try:
        ended = app(prog_name="transfer", standalone_mode=False)
        sys.stdout.flush()
    except TransferError as error:
        return _refuse(with_options(str(error), app))
    except _UsageError as error:
        if not sys.argv[1:]:  # `transfer` alone: Typer raises its help
            error.show()
            return error.exit_code
        words = error.format_message().rstrip(".")
        return _refuse(f"{words}; see {error.ctx.command_path if error.ctx else 'transfer'} --help")
    except OSError as error:
        return _refuse(said_of(error))
    except (typer.Abort, KeyboardInterrupt):  # newer Typer gives the code of an interruption itself
        return INTERRUPTED
    return ended if isinstance(ended, int) else 0  # commands give nothing; an exit of their own gives its code


def _refuse(sentence: str) -> int:
    progress.print(f"transfer: {one_line(sentence)}", markup=False)
    return 2
