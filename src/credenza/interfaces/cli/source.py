"""``credenza source``: who may send data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.key import public_key
from credenza.interfaces.cli.terminal import Screen, count, instant, short

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Source


@family("source")
def command() -> None:
    """Senders of data: registered, listed, frozen."""


@command.use_case("add", governed=True, examples=("credenza source add acme --key acme.key.pub",))
@click.argument("source")
@click.option(
    "--key",
    "keys",
    multiple=True,
    metavar="KEY",
    help="Public key: 64 hex digits or a .pub file. May be given several times. Not needed "
    "where a key ring is followed.",
)
@click.option("--group", default="", help="Sources of one group count once in campaign tests.")
def add(home: Path | None, source: str, keys: tuple[str, ...], group: str) -> Answer:
    """Register SOURCE and the keys it may sign with."""
    held = [public_key(key) for key in keys]
    with open_workspace(home) as workspace:
        added = workspace.add_source(source, held, group=group)
    return _one(added, f"credenza submit FILES --source {added.id} --key ITS.key --dataset NAME")


@command.use_case("list", examples=("credenza source list",))
def list_sources(home: Path | None) -> Answer:
    """List all sources and how far each is trusted at the moment."""
    with open_workspace(home) as workspace:
        sources = workspace.sources()

    def show(screen: Screen) -> None:
        screen.table(
            ("source", "standing", "group", "keys"),
            [(s.id, s.standing, s.group, " ".join(short(key) for key in s.keys)) for s in sources],
        )
        screen.line(count(len(sources), "source"))

    return Answer("credenza.sources/1", {"sources": [jsonable(one) for one in sources]}, show)


@command.use_case("show", examples=("credenza source show acme",))
@click.argument("source")
def show_source(home: Path | None, source: str) -> Answer:
    """Show one source: keys, group, standing, limits."""
    with open_workspace(home) as workspace:
        return _one(workspace.source(source))


@command.use_case(
    "freeze", governed=True, examples=('credenza source freeze acme --reason "key may be stolen"',)
)
@click.argument("source")
@click.option("--reason", required=True, help="Goes into the ledger.")
def freeze(home: Path | None, source: str, reason: str) -> Answer:
    """Stop SOURCE from submitting until `credenza source unfreeze`."""
    with open_workspace(home) as workspace:
        return _one(workspace.freeze_source(source, reason))


@command.use_case(
    "unfreeze",
    governed=True,
    examples=('credenza source unfreeze acme --reason "the key was safe"',),
)
@click.argument("source")
@click.option("--reason", required=True, help="Goes into the ledger.")
def unfreeze(home: Path | None, source: str, reason: str) -> Answer:
    """Let SOURCE submit again."""
    with open_workspace(home) as workspace:
        return _one(workspace.unfreeze_source(source, reason))


@command.use_case(
    "add-key", governed=True, examples=("credenza source add-key acme acme-2.key.pub",)
)
@click.argument("source")
@click.argument("key")
def add_key(home: Path | None, source: str, key: str) -> Answer:
    """Let SOURCE sign with KEY too, a public key; what it signed before stays valid."""
    with open_workspace(home) as workspace:
        return _one(workspace.add_key(source, public_key(key)))


def _one(source: Source, next_step: str = "") -> Answer:
    def show(screen: Screen) -> None:
        limits = source.limits
        screen.fields(
            [
                ("source", source.id),
                ("standing", source.standing),
                ("group", source.group),
                *(("key", key) for key in source.keys),
                *([("signatures", source.threshold)] if source.threshold > 1 else []),
                *([("datasets", " ".join(source.datasets))] if source.datasets else []),
                *([("keys until", instant(source.until_s))] if source.until_s else []),
                (
                    "limits",
                    f"{limits.rows:,} rows, {limits.columns:,} columns, {limits.files} files",
                ),
                ("next", next_step),
            ]
        )

    return Answer("credenza.source/1", {"source": jsonable(source)}, show)
