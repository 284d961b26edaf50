"""``credenza blast``: how far suspicious rows got."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.suspicion import suspicion_of, suspicion_options
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.response.blast import BlastRadius

MOST_LINES = 20


@use_case(
    "blast",
    examples=(
        "credenza blast flights --source acme --since 2013-06-03",
        "credenza blast flights --row BATCH 0-9",
    ),
)
@suspicion_options
def command(home: Path | None, **told: Any) -> Answer:  # noqa: ANN401 - click's parameters
    """Name every batch, version, release, channel and model that suspicious rows reached.

    Who is named is united, and cut to the span of time; a span alone means everything in
    it. What the ledger cannot say is listed as unknown. Nothing is changed.
    """
    suspicion = suspicion_of(told)
    with open_workspace(home) as workspace:
        radius = workspace.response.blast_radius(suspicion)
    return Answer(
        "credenza.blast/1", {"radius": jsonable(radius)}, lambda screen: show_radius(screen, radius)
    )


def show_radius(screen: Screen, radius: BlastRadius) -> None:
    """The radius for people."""
    suspects = sum(one.suspects for one in radius.batches)
    held = sum(one.held for one in radius.batches)
    screen.line(
        f"{count(suspects, 'suspicious row')} in {count(len(radius.batches), 'batch', 'batches')}, "
        f"{held:,} of them in the newest version of {radius.dataset}"
    )
    screen.table(
        ("batch", "source", "window", "status", "rows", "held"),
        [
            (short(one.digest), one.source, one.window, one.status, one.suspects, one.held)
            for one in radius.batches[:MOST_LINES]
        ],
    )
    if len(radius.batches) > MOST_LINES:
        screen.line(f"… and {len(radius.batches) - MOST_LINES} more: see --json")
    screen.fields(
        [
            *(
                ("version", f"{one.number}: {one.suspects:,} of {one.rows:,} rows")
                for one in radius.versions
            ),
            *(
                ("release", f"{short(one.digest)} of version {one.version}, {one.standing}")
                for one in radius.releases
            ),
            *(("channel", f"{one.name} at version {one.version}") for one in radius.channels),
            *(("model", f"{short(one.model)} of run {one.run}") for one in radius.models),
            *(("unknown", one.sentence) for one in radius.unknown),
        ]
    )
