"""``credenza review``: a person decides on what was held."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer, jsonable
from credenza.interfaces.cli.batch import batches_answer, explain
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, short

if TYPE_CHECKING:
    from pathlib import Path


@family("review")
def command() -> None:
    """Decide on what was held. Every decision is signed and goes into the ledger."""


@command.use_case("list", examples=("credenza review list",))
def list_reviews(home: Path | None) -> Answer:
    """List the batches that wait for a person."""
    with open_workspace(home) as workspace:
        return batches_answer(workspace.reviews())


# The reviewer reads what `batch explain` says: one view of the evidence, two names.
command.add_command(explain, "show")


@command.use_case(
    "admit",
    governed=True,
    examples=('credenza review admit BATCH --reason "checked with the airline"',),
)
@click.argument("batch")
@click.option("--reason", required=True, help="Goes into the ledger.")
def admit(home: Path | None, batch: str, reason: str) -> Answer:
    """Let a held batch into the dataset after all."""
    return _decide(home, batch, "admit", reason)


@command.use_case(
    "reject",
    governed=True,
    examples=('credenza review reject BATCH --reason "labels were flipped"',),
)
@click.argument("batch")
@click.option("--reason", required=True, help="Goes into the ledger.")
def reject(home: Path | None, batch: str, reason: str) -> Answer:
    """Keep a held batch out for good. Its bytes stay in the content store."""
    return _decide(home, batch, "reject", reason)


def _decide(home: Path | None, batch: str, outcome: str, reason: str) -> Answer:
    with open_workspace(home) as workspace:
        decision = workspace.decide(batch, outcome, reason)
        record = workspace.batch(batch)

    def show(screen: Screen) -> None:
        screen.line(f"batch {short(record.digest)} of {record.source} is now {record.status}")

    return Answer(
        "credenza.decision/1",
        {"decision": jsonable(decision), "batch": jsonable(record)},
        show,
    )
