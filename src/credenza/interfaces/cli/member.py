"""``credenza member``: the people who decide, each with keys of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from credenza.gate.governance.charter import Member

ROLES = ("contributor", "reviewer", "steward", "auditor", "admin")


@family("member")
def command() -> None:
    """People: registered with their public keys, and with what they may do."""


def _about(
    verb: str, *, required: bool, example: str
) -> Callable[[Callable[..., Answer]], click.Command]:
    """A command about one member, with the options that describe them."""

    def register(function: Callable[..., Answer]) -> click.Command:
        for option in (
            click.option(
                "--source",
                "sources",
                multiple=True,
                metavar="SOURCE",
                help="A source they belong to: they approve nothing of it.",
            ),
            click.option(
                "--role", "roles", multiple=True, required=required, type=click.Choice(ROLES)
            ),
            click.option(
                "--key",
                "keys",
                multiple=True,
                required=required,
                metavar="KEY",
                help="Public key: 64 hex digits or a .pub file. May be given several times.",
            ),
            click.argument("name"),
        ):
            function = option(function)
        return command.use_case(verb, governed=True, examples=(example,))(function)

    return register


@_about(
    "add",
    required=True,
    example="credenza member add alice --key alice.key.pub --role steward --role reviewer",
)
def add(home: Path | None, name: str, keys: tuple[str, ...], **said: Sequence[str]) -> Answer:
    """Register NAME. Until `credenza governance start`, members decide nothing yet."""
    with open_workspace(home) as workspace:
        held = [public_key(key) for key in keys]
        return _listed([workspace.members.add(name, held, **said)])


@_about(
    "change",
    required=False,
    example="credenza member change alice --role steward --role reviewer --source acme",
)
def change(home: Path | None, name: str, keys: tuple[str, ...], **said: Sequence[str]) -> Answer:
    """Give NAME other keys, roles or sources; what is not given stays as it is."""
    with open_workspace(home) as workspace:
        held = [public_key(key) for key in keys]
        return _listed([workspace.members.change(name, held, **said)])


@command.use_case(
    "remove", governed=True, examples=('credenza member remove carol --reason "left the team"',)
)
@click.argument("name")
@click.option("--reason", required=True, help="Goes into the ledger.")
def remove(home: Path | None, name: str, reason: str) -> Answer:
    """Take NAME's word away; approvals that were not used yet do not count any more."""
    with open_workspace(home) as workspace:
        workspace.members.remove(name, reason)
        return _listed(workspace.members.all())


@command.use_case("list", examples=("credenza member list",))
def list_members(home: Path | None) -> Answer:
    """List everybody who is registered now."""
    with open_workspace(home) as workspace:
        return _listed(workspace.members.all())


def _listed(members: Sequence[Member]) -> Answer:
    def show(screen: Screen) -> None:
        screen.table(
            ("member", "roles", "sources", "keys"),
            [
                (m.name, " ".join(m.roles), " ".join(m.sources), " ".join(map(short, m.keys)))
                for m in members
            ],
        )
        screen.line(count(len(members), "member"))

    return Answer("credenza.members/1", {"members": [jsonable(one) for one in members]}, show)
