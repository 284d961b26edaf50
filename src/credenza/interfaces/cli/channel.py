"""``credenza channel``: names that point to what should be trained on."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, short

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.response.channels import Channel


@family("channel")
def command() -> None:
    """Names such as prod that point to a version or a release of a dataset."""


@command.use_case("list", examples=("credenza channel list",))
@click.option("--dataset", help="Only its channels.")
def list_channels(home: Path | None, dataset: str | None) -> Answer:
    """List the channels and where they point."""
    with open_workspace(home) as workspace:
        found = workspace.response.channels(dataset)
    return _several(found)


@command.use_case("show", examples=("credenza channel show flights prod",))
@click.argument("dataset")
@click.argument("name")
def show(home: Path | None, dataset: str, name: str) -> Answer:
    """Show where a channel pointed, oldest move first."""
    with open_workspace(home) as workspace:
        workspace.response.channel(dataset, name)
        found = workspace.response.channel_history(dataset, name)
    return _several(found)


@command.use_case(
    "move",
    governed=True,
    examples=('credenza channel move flights prod --version 1 --reason "checked by ida"',),
)
@click.argument("dataset")
@click.argument("name")
@click.option("--version", type=int, help="Of the dataset.")
@click.option("--release", default="", help="Its digest or first digits, in place of a version.")
@click.option("--reason", required=True, help="Goes into the ledger.")
def move(  # noqa: PLR0917 - click passes each option by its name
    home: Path | None, dataset: str, name: str, version: int | None, release: str, reason: str
) -> Answer:
    """Point a channel to a version or a release; its first move makes it."""
    with open_workspace(home) as workspace:
        moved = workspace.response.move_channel(
            dataset, name, version=version, release=release, reason=reason
        )
    return _several([moved])


@command.use_case(
    "rollback",
    governed=True,
    examples=('credenza channel rollback flights prod --reason "poison found"',),
)
@click.argument("dataset")
@click.argument("name")
@click.option("--reason", required=True, help="Goes into the ledger.")
def rollback(home: Path | None, dataset: str, name: str, reason: str) -> Answer:
    """Point a channel to where it pointed before. Takes one ledger entry, whatever the size."""
    with open_workspace(home) as workspace:
        moved = workspace.response.roll_back_channel(dataset, name, reason)
    return _several([moved])


def _several(found: Sequence[Channel]) -> Answer:
    def show(screen: Screen) -> None:
        screen.table(
            ("dataset", "channel", "version", "release", "entry", "why"),
            [
                (
                    one.dataset,
                    one.name,
                    "none" if one.version is None else one.version,
                    short(one.release) or "-",
                    one.index,
                    one.reason,
                )
                for one in found
            ],
        )

    return Answer("credenza.channels/1", {"channels": [jsonable(one) for one in found]}, show)
