"""The command class: shared options, examples in the help, one way out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from credenza.interfaces.cli.answer import Answer
    from credenza.workspace import Workspace

AS_JSON = "credenza.as_json"
"""Where a command that talks while it works finds whether stdout is one object."""

ACTING = "credenza.acting"
"""Where a governed command finds whose key, or which request, it acts on."""

SENTENCE = 400
"""No first sentence of a command is longer."""

F = TypeVar("F", bound="Callable[..., Any]")


class UseCase(click.Command):
    """A command that asks the workspace one thing and shows the ``Answer``.

    Args:
        judges: its exit code is a judgement; adds ``--exit-zero``, and a defect of
            ours exits with 2, so that no script mistakes it for a verdict.
        at_home: it works on a workspace; adds ``--home``.
        governed: the rules of a governed workspace apply; adds ``--as`` and ``--request``.
        examples: command lines for the help; tests run them.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 - handed on to click as they are
        judges: bool = False,
        at_home: bool = True,
        governed: bool = False,
        examples: Sequence[str] = (),
        **options: Any,  # noqa: ANN401 - handed on to click as they are
    ) -> None:
        super().__init__(*arguments, **options)
        self.judges = judges
        self.examples = tuple(examples)
        self.params.extend(_shared(judges=judges, at_home=at_home, governed=governed))
        if examples:
            self.epilog = "Examples:\n" + "\n".join(f"  {line}" for line in examples)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the examples as they are typed, without click's indentation."""
        if self.epilog:
            formatter.write(f"\n{self.epilog}\n")

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the words; what cannot be read says of which command it is."""
        try:
            return super().parse_args(ctx, args)
        except click.UsageError as wrong:
            wrong.ctx = wrong.ctx or ctx
            raise

    def invoke(self, ctx: click.Context) -> int:
        """Run, show, and say the exit code; no exception but click's leaves."""
        as_json: bool = ctx.params.pop("as_json")
        ctx.meta[AS_JSON] = as_json
        ctx.meta[ACTING] = (ctx.params.pop("acting", None), ctx.params.pop("approved", ""))
        debug: bool = ctx.params.pop("debug")
        exit_zero: bool = ctx.params.pop("exit_zero", False)
        try:
            answer: Answer = super().invoke(ctx)
            _show(answer, as_json=as_json)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise
        except Exception as wrong:  # noqa: BLE001 - the porch is where every error ends
            from credenza.interfaces.cli.failure import report  # noqa: PLC0415 - help stays light

            return report(wrong, as_json=as_json, debug=debug, judges=self.judges)
        return 0 if exit_zero else answer.exit_code


class Family(click.Group):
    """A group of use-cases, such as ``credenza source …``."""

    command_class = UseCase

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the whole first sentence of each command: half a sentence says nothing."""
        rows = [
            (name, self.commands[name].get_short_help_str(limit=SENTENCE))
            for name in self.list_commands(ctx)
        ]
        with formatter.section("Commands"):
            formatter.write_dl(rows)

    def use_case(self, name: str, **options: Any) -> Callable[[F], UseCase]:  # noqa: ANN401 - click's
        """Decorate a function as the command ``name`` of this group."""

        def register(function: F) -> UseCase:
            made: UseCase = click.command(name, cls=UseCase, **options)(function)
            self.add_command(made)
            return made

        return register


def use_case(name: str, **options: Any) -> Callable[[F], UseCase]:  # noqa: ANN401 - click's
    """Decorate a function as a command that stands alone."""
    return click.command(name, cls=UseCase, **options)


def family(name: str) -> Callable[[F], Family]:
    """Decorate a function whose docstring introduces a group of commands."""
    return click.group(name, cls=Family)


def open_workspace(home: Path | None) -> Workspace:
    """The workspace at ``home``, at ``CREDENZA_HOME``, or nearest upward."""
    from credenza.workspace import Workspace  # noqa: PLC0415 - help stays light
    from credenza.workspace.warrants import Acting  # noqa: PLC0415

    context = click.get_current_context(silent=True)
    key, request = (context.meta.get(ACTING) if context else None) or (None, "")
    return Workspace.open(home, acting=Acting(key, request))


def _show(answer: Answer, *, as_json: bool) -> None:
    if as_json:
        from credenza.interfaces.cli.answer import ascii_json  # noqa: PLC0415 - help stays light

        click.echo(ascii_json({"schema": answer.schema, **answer.body}))
        return
    from credenza.interfaces.cli.terminal import Screen  # noqa: PLC0415 - help stays light

    answer.show(Screen())


def _shared(*, judges: bool, at_home: bool, governed: bool) -> list[click.Parameter]:
    options: list[click.Parameter] = []
    if at_home:
        options.append(
            click.Option(
                ["--home"],
                type=click.Path(file_okay=False, path_type=Path),
                metavar="DIR",
                help="Workspace; $CREDENZA_HOME or the nearest .credenza upward by default.",
            )
        )
    if governed:
        options += [
            click.Option(
                ["--as", "acting"],
                metavar="KEY",
                help="Your private key, where the workspace is governed: FILE, env:NAME, pkcs11:….",
            ),
            click.Option(
                ["--request", "approved"],
                default="",
                metavar="REQUEST",
                help="What you asked for before, once others have approved it.",
            ),
        ]
    if judges:
        options.append(
            click.Option(
                ["--exit-zero"], is_flag=True, help="Exit with 0 whatever the judgement is."
            )
        )
    options.append(click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object."))
    options.append(click.Option(["--debug"], is_flag=True, help="Print the traceback of an error."))
    return options
