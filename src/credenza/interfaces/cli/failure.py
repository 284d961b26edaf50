"""Every way to fail, said in three lines or one object, with the right exit code."""

from __future__ import annotations

import os
import sys
import traceback

import click

from credenza.core.errors import CredenzaError, InternalError, UsageError
from credenza.interfaces.cli.answer import ascii_json
from credenza.interfaces.cli.terminal import Screen, plain
from credenza.interfaces.documents import error_document

USAGE_EXIT = 2
INTERRUPTED_EXIT = 130


def as_error(wrong: BaseException) -> CredenzaError:
    """Any exception as one of ours: what, why and fix in the reader's terms."""
    if isinstance(wrong, CredenzaError):
        return wrong
    if isinstance(wrong, click.ClickException):
        return UsageError(
            "bad-usage",
            wrong.format_message(),
            why=_reading_of(wrong),
            fix=f"run `{_help_of(wrong)} --help`",
        )
    if isinstance(wrong, UnicodeDecodeError):
        return UsageError(
            "not-text",
            "a file that was given is not UTF-8 text",
            why=f"its byte {wrong.start} cannot be read: {wrong.reason}",
            fix="check that it is the file you mean, and write it as UTF-8",
        )
    if isinstance(wrong, OSError):
        return UsageError(
            "file-trouble",
            f"{wrong.strerror or type(wrong).__name__}: {wrong.filename or 'a file'}",
            why=f"the operating system refused ({type(wrong).__name__})",
            fix="check that the path exists, may be read or written, and that the disk has room",
        )
    return InternalError(
        "defect",
        "credenza met a case it does not know",
        why=f"{type(wrong).__name__}: {wrong}",
        fix="run it again with `--debug` and report the traceback; nothing was let through",
    )


def report(
    wrong: BaseException, *, as_json: bool, debug: bool = False, judges: bool = False
) -> int:
    """Show an exception and say the exit code.

    Args:
        wrong: what was raised.
        as_json: one object on stdout instead of three lines on stderr.
        debug: the traceback too, on stderr.
        judges: for commands whose codes mean a judgement, a defect of ours is 2.
    """
    error = as_error(wrong)
    if debug:
        traceback.print_exception(wrong, file=sys.stderr)
    if as_json:
        click.echo(ascii_json(error_document(error).whole()))
    else:
        screen = Screen(sys.stderr)
        screen.line(f"error[{plain(error.code)}]: {plain(error.what)}", style="red")
        for name, text in (("why", error.why), ("fix", error.fix)):
            if text:
                screen.line(f"  {name}: {plain(text, limit=2_000)}")
    defect = error.exit_code not in (1, 2, 3, 4)
    return USAGE_EXIT if judges and defect else error.exit_code


def stop(wrong: BaseException, *, as_json: bool) -> int:
    """The exit code when a command line ends before or around its command."""
    if isinstance(wrong, BrokenPipeError):
        # The reader went away (`| head`); silence the flush at interpreter exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    if isinstance(wrong, click.Abort):
        Screen(sys.stderr).line("interrupted")
        return INTERRUPTED_EXIT
    if isinstance(wrong, click.exceptions.NoArgsIsHelpError):
        click.echo(wrong.format_message(), err=True)
        return USAGE_EXIT
    return report(wrong, as_json=as_json)


def _reading_of(wrong: click.ClickException) -> str:
    """What the command takes; of a parameter with a wrong value, what that one is."""
    if isinstance(wrong, click.BadParameter) and not isinstance(wrong, click.MissingParameter):
        return _meaning_of(wrong)
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    if context is None:
        return "the command line could not be understood"
    taken = [option for one in context.command.params for option in one.opts if option[:1] == "-"]
    if isinstance(context.command, click.Group):
        taken = context.command.list_commands(context)
    return f"`{context.command_path}` takes {', '.join(sorted(taken))}"


def _meaning_of(wrong: click.BadParameter) -> str:
    if isinstance(wrong.param, click.Option) and wrong.param.help:
        return f"{wrong.param.opts[0]}: {wrong.param.help}"
    name = wrong.param.human_readable_name if wrong.param is not None else "a value"
    return f"it was taken for {name} of `{_help_of(wrong)}`"


def _help_of(wrong: click.ClickException) -> str:
    context = wrong.ctx if isinstance(wrong, click.UsageError) else None
    return context.command_path if context is not None else "credenza"
