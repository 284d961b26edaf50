"""``credenza drill``: attacks on a copy, to see what notices."""

from __future__ import annotations

from pathlib import Path

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count

ATTACKS = ("back-date", "fork", "omit", "rewrite", "truncate")


@family("drill")
def command() -> None:
    """Attack a copy, and see what notices. Nothing that is in use is touched."""


@command.use_case("operator", examples=("credenza drill operator rewrite --out falsified",))
@click.argument("attack", type=click.Choice(ATTACKS), metavar="ATTACK")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    help="Where the falsified ledger goes; must not exist.",
)
def operator(home: Path | None, attack: str, out: Path) -> Answer:
    """Falsify a copy of the ledger as its own operator could, with the right key.

    ATTACK is back-date, fork, omit, rewrite or truncate. Then let a monitor or a witness
    look at the copy in the place of the true one.
    """
    from credenza.redteam.operator import OPERATOR_ATTACKS, forge  # noqa: PLC0415 - help stays light
    from credenza.workspace.home import operator_key  # noqa: PLC0415

    with open_workspace(home) as workspace:
        key = operator_key(workspace.home).private
        size = forge(workspace.log.ledger, key, OPERATOR_ATTACKS[attack], out)

    def show(screen: Screen) -> None:
        screen.line(f"{out}: {attack}, {count(size, 'entry', 'entries')}, signed by the operator")

    return Answer(
        "credenza.drill-operator/1", {"attack": attack, "out": str(out), "entries": size}, show
    )
