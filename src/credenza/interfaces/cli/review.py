"""``credenza review``: a person decides on what was held."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.batch import batches_answer, explain
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.suspicion import row_ranges
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

F = TypeVar("F", bound="Callable[..., Any]")


@family("review")
def command() -> None:
    """Decide on what was held. Every decision is signed and goes into the ledger."""


@command.use_case("list", examples=("credenza review list", "credenza review list --queue review"))
@click.option("--queue", help="Of this queue only.")
def list_reviews(home: Path | None, queue: str | None) -> Answer:
    """List what waits for a person: by cause, then batch by batch."""
    from credenza.gate.causes import causes  # noqa: PLC0415 - help stays light

    with open_workspace(home) as workspace:
        records = workspace.reviews()
        if queue is not None:
            own = {one.batch for one in workspace.quarantine.held(queue)}
            records = [record for record in records if record.digest in own]
    listed, grouped = batches_answer(records), causes(records)

    def show(screen: Screen) -> None:
        for cause in grouped:
            held = f"{count(len(cause.batches), 'batch', 'batches')} of {_few(cause.sources)}"
            span = " to ".join(dict.fromkeys(cause.windows))
            screen.line(f"[{cause.rule}] {held} to {cause.dataset}, {span}")
            screen.line(f"  {cause.sentence}")
        listed.show(screen)

    body = {**listed.body, "causes": [jsonable(cause) for cause in grouped]}
    return Answer("credenza.reviews/1", body, show)


def _few(names: Sequence[str]) -> str:
    """Some names, and how many more there are."""
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return ", ".join(names[:4]) + more


@command.use_case("queues", judges=True, examples=("credenza review queues --exit-zero",))
def queues(home: Path | None) -> Answer:
    """Show the queues of the policy. Exits with 1 when one is over its limits."""
    with open_workspace(home) as workspace:
        found = workspace.quarantine.queues()

    def show(screen: Screen) -> None:
        screen.table(
            ("queue", "batches", "rows", "oldest, hours", "over its limits"),
            [(one.name, one.batches, one.rows, one.oldest_s // 3600, one.over) for one in found],
        )

    over = any(one.over for one in found)
    return Answer(
        "credenza.queues/1", {"queues": [jsonable(one) for one in found]}, show, int(over)
    )


# The reviewer reads what `batch explain` says: one view of the evidence, two names.
command.add_command(explain, "show")


def _parts(function: F) -> F:
    """Options that say which part of a batch, or of a source's batches, is meant."""
    for option in reversed(
        (
            click.argument("batch", required=False, default=""),
            click.option("--reason", required=True, help="Goes into the ledger."),
            click.option("--rows", default="", metavar="ROWS", help="Such as 0-99,120 of BATCH."),
            click.option(
                "--where",
                type=(str, str),
                multiple=True,
                metavar="COLUMN VALUE",
                help="Rows with this value only.",
            ),
            click.option("--source", default="", help="All that is open of it, without BATCH."),
            click.option("--dataset", default="", help="Of that source, this dataset only."),
        )
    ):
        function = option(function)
    return function


@command.use_case(
    "admit",
    governed=True,
    examples=(
        'credenza review admit BATCH --reason "checked with the airline"',
        'credenza review admit BATCH --rows 0-9 --reason "checked these ten"',
        'credenza review admit --source acme --where carrier ua --reason "known"',
    ),
)
@_parts
def admit(home: Path | None, **parts: Any) -> Answer:  # noqa: ANN401 - click gives each its type
    """Let what was held into the dataset after all: a batch, rows, a slice, or a source."""
    return _decide(home, "admit", parts)


@command.use_case(
    "reject",
    governed=True,
    examples=('credenza review reject BATCH --reason "labels were flipped"',),
)
@_parts
def reject(home: Path | None, **parts: Any) -> Answer:  # noqa: ANN401 - click gives each its type
    """Keep what was held out for good. Its bytes stay in the content store."""
    return _decide(home, "reject", parts)


@command.use_case(
    "reopen", governed=True, examples=('credenza review reopen BATCH --reason "a mistake"',)
)
@click.argument("batch")
@click.option("--reason", required=True, help="Goes into the ledger.")
def reopen(home: Path | None, batch: str, reason: str) -> Answer:
    """Take a rejection back: what it rejected waits for a decision again."""
    with open_workspace(home) as workspace:
        workspace.quarantine.reopen(batch, reason)
        return batches_answer([workspace.batch(batch)])


@command.use_case("expire", examples=("credenza review expire",))
def expire(home: Path | None) -> Answer:
    """Reject what was undecided for longer than the policy allows. For a timer."""
    with open_workspace(home) as workspace:
        done = workspace.quarantine.expire()
        return batches_answer([workspace.batch(one.batch) for one in done])


def _decide(home: Path | None, outcome: str, parts: dict[str, Any]) -> Answer:
    from credenza.core.spans import united  # noqa: PLC0415 - help stays light

    rows = parts.pop("rows")
    with open_workspace(home) as workspace:
        done = workspace.quarantine.release(
            parts.pop("reason"),
            outcome=outcome,
            rows=united(row_ranges(rows)) if rows else None,
            where=dict(parts.pop("where")),
            **parts,
        )
        records = [workspace.batch(one.batch) for one in done]

    def show(screen: Screen) -> None:
        for record in records:
            left = f", {record.quarantined_rows} rows wait" if record.quarantined_rows else ""
            screen.line(
                f"batch {short(record.digest)} of {record.source} is now {record.status}{left}"
            )

    return Answer(
        "credenza.decision/1",
        {
            "decision": jsonable(done[0]),
            "batch": jsonable(records[0]),
            "decisions": [jsonable(one) for one in done],
        },
        show,
    )
