"""The ``credenza`` command: lists everything, loads only what is asked for."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

# Section → (command, its module in this package, what the listing says of it).
# A command's module is imported when the command is named, not before, so that
# `credenza --help` costs an interpreter and click.
SECTIONS: tuple[tuple[str, tuple[tuple[str, str, str], ...]], ...] = (
    (
        "See it work",
        (
            ("scan", "scan", "Find poisoned rows, groups and sources in one training set."),
            ("demo", "demo", "A year of real flights passes the gate, with an attack on the way."),
        ),
    ),
    (
        "Set up",
        (
            ("init", "init", "Make a workspace."),
            ("key", "key", "Make a pair of keys to sign with."),
            ("source", "source", "Register, list and freeze the senders of data."),
            ("ring", "ring", "Who may sign for which source, kept by several people."),
            ("policy", "policy", "The policy: show, test, replay, explain, propose, adopt."),
        ),
    ),
    (
        "Decide together",
        (
            ("governance", "governance", "Who may do what, and with how many others."),
            ("member", "member", "Register the people who decide."),
            ("request", "request", "What was asked for and waits for approval."),
            ("approve", "approve", "Approve what another member asked for."),
        ),
    ),
    (
        "Pass data through the gate",
        (
            ("submit", "submit", "Sign files and hand them in as one batch."),
            ("settle", "settle", "Judge the windows that are complete."),
            ("batch", "batch", "What came in, what became of it, and why."),
            ("review", "review", "Decide on what was held."),
            ("campaigns", "campaigns", "Sources that moved together, with their charts."),
            ("monitor", "monitor", "How a dataset stands now."),
            ("drift", "drift", "How far each column of each source moved."),
            ("serve", "serve", "Campaigns and monitor over HTTP, for reading."),
        ),
    ),
    (
        "Use what was admitted",
        (
            ("dataset", "dataset", "Versions of a dataset: look, check out, roll back."),
            ("release", "release", "Make, verify and recall signed releases."),
            ("channel", "channel", "Names that point to what should be trained on."),
            ("train-run", "train_run", "Record which model came from which release."),
            ("lineage", "lineage", "Where a row, a batch or a source's data went."),
            ("openlineage", "openlineage", "Tell lineage tools what happened."),
            ("certify", "certify", "How many colluding sources cannot change a model."),
            ("audit-model", "audit_model", "Compare a trained model with a verified baseline."),
        ),
    ),
    (
        "Answer an incident",
        (
            ("incident", "incident", "Open, answer by a playbook, close, and learn from it."),
            ("validate", "validate", "Look at suspects by independent means."),
            ("relabel", "relabel", "Let people label suspects again, blindly."),
            ("blast", "blast", "How far suspicious rows got."),
            ("recover", "recover", "The way back: plan, apply, sign."),
            ("rehearse", "rehearse", "A recovery drill on a copy, timed."),
        ),
    ),
    (
        "Prove it afterwards",
        (
            ("log", "log", "Audit, prove, cosign and monitor the ledger."),
            ("witness", "witness", "Cosign the ledgers of others."),
            ("drill", "drill", "Attack a copy, and see what notices."),
            ("catalog", "catalog", "Rebuild the index from the ledger; list and check parts."),
            ("metrics", "metrics", "False alarms, times, backlog, lineage, counted."),
            ("report", "report", "Evidence for controls of several frameworks."),
        ),
    ),
)

EXAMPLES = """Examples:
  credenza scan june.parquet
  credenza demo
  credenza init
  credenza key new acme.key
  credenza source add acme --key acme.key.pub
  credenza submit june.parquet --source acme --key acme.key --dataset flights --label late
  credenza settle flights
  credenza batch list

Exit codes of commands that judge:
  0  admitted, clean            3  integrity failure
  1  policy says no             4  held for a human, or waiting for its window
  2  usage or internal error, never a pass
"""

_MODULES = {name: module for _, rows in SECTIONS for name, module, _ in rows}


class Porch(click.Group):
    """A group that imports a command's module when the command is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """All names, in the order of the sections."""
        return list(_MODULES)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import the command's module and take its ``command``."""
        module = _MODULES.get(cmd_name)
        if module is None:
            return None
        loaded = importlib.import_module(f"credenza.interfaces.cli.{module}")
        found: click.Command = loaded.command
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one that exists."""
        if args and args[0] not in _MODULES:
            import difflib  # noqa: PLC0415 - only on the way out

            near = difflib.get_close_matches(args[0], list(_MODULES), n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {args[0]!r}.{hint}")
        return super().resolve_command(ctx, args)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the examples and exit codes as they are, without click's indentation."""
        if self.epilog:
            formatter.write(f"\n{self.epilog}")

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        """Write the sections without importing a single command."""
        for title, rows in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(name, line) for name, _, line in rows])


@click.group(
    cls=Porch,
    epilog=EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="credenza", message="credenza %(version)s")
def credenza() -> None:
    """Nothing reaches the model until it has been tasted.

    A gate in front of training: signed batches come in, are judged alone and
    across sources, and leave as a signed release that a training job can verify
    offline. Every decision can be proved afterwards.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line; the exit code comes out.

    Errors of every kind end here as three lines (what, why, fix) on stderr, or as
    one object on stdout under ``--json``.

    Args:
        arguments: words after the program's name; those of the process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    try:
        code = credenza.main(args=words, prog_name="credenza", standalone_mode=False)
    except (click.ClickException, click.Abort, BrokenPipeError) as wrong:
        from credenza.interfaces.cli.failure import stop  # noqa: PLC0415 - help must stay light

        return stop(wrong, as_json="--json" in words)
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
