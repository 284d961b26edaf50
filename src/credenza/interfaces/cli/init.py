"""``credenza init``: a workspace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import use_case
from credenza.interfaces.cli.key import REFERENCE

if TYPE_CHECKING:
    from credenza.interfaces.cli.terminal import Screen

NEXT = "credenza key new acme.key, then credenza source add acme --key acme.key.pub"


@use_case(
    "init",
    at_home=False,
    examples=("credenza init", "credenza init partners/.credenza"),
)
@click.argument("directory", required=False, type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--key",
    default="",
    metavar="KEY",
    help=f"The operator's key, in place of a new one. {REFERENCE}",
)
def command(directory: Path | None, key: str) -> Answer:
    """Make a workspace: ledger, content store, datasets, policy, signing key.

    DIRECTORY is $CREDENZA_HOME by default, or .credenza here. Other commands find
    it by --home, by $CREDENZA_HOME, or by looking for .credenza upward from where
    you are.
    """
    from credenza.workspace import Workspace  # noqa: PLC0415 - help stays light

    with Workspace.init(directory, signer=key) as workspace:
        home, public = str(workspace.home), workspace.public_key
        rule = workspace.policies.in_force().window
    policy = (
        f"policy.toml in it; windows of {rule.days} days, of which the first "
        f"{rule.reference + rule.calibration} are vouched for and teach what is usual"
    )

    def show(screen: Screen) -> None:
        screen.line(f"workspace {home}")
        screen.fields([("public key", public), ("policy", policy), ("next", NEXT)])

    return Answer("credenza.init/1", {"home": home, "public_key": public}, show)
