"""``credenza settle``: judge the windows that are complete."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.core.types import Outcome
from credenza.interfaces.cli.answer import Answer, exit_of, worst
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.stories import WORDS, campaign_lines, counts_by_outcome, vouching
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from credenza.core.types import Verdict
    from credenza.gate.questions import Waiting
    from credenza.gate.settlement import Settlement


@use_case(
    "settle",
    judges=True,
    examples=("credenza settle flights", "credenza settle flights --until 2013-08-05"),
)
@click.argument("dataset")
@click.option(
    "--until",
    metavar="DATE",
    help="Settle windows that end by this ISO date; all that are complete by default.",
)
def command(home: Path | None, dataset: str, until: str | None) -> Answer:
    """Judge all batches of each complete window of DATASET together.

    A window is complete when its last day is over. What passes becomes a new version
    of the dataset; what does not waits in `credenza review list`. The first windows,
    as many as the policy says, are not judged but vouched for: they teach what is
    usual. The exit code is that of the worst batch.
    """
    told = Screen(sys.stderr)

    def progress(window: Settlement) -> None:
        if told.live:
            told.line(f"{window.window} settled", style="dim")

    with open_workspace(home) as workspace:
        settled = workspace.settle(dataset, until=until, progress=progress)
        left = workspace.waiting(dataset)
    codes = [
        exit_of(WORDS[verdict.outcome.name.lower()])
        for window in settled
        for verdict in window.verdicts
    ]
    return Answer(
        "credenza.settlement/1",
        {
            "dataset": dataset,
            "windows": [jsonable(window) for window in settled],
            "waiting": jsonable(left),
        },
        lambda screen: _show(screen, settled, left),
        worst(codes),
    )


def _show(screen: Screen, settled: Sequence[Settlement], left: Waiting) -> None:
    for window in settled:
        _show_window(screen, window)
    screen.line(f"settled {count(len(settled), 'window')}")
    if left.batches:
        then = f"; the next one ends on {left.ends}" if left.ends else ""
        screen.line(f"waiting for their window: {count(left.batches, 'batch', 'batches')}{then}")
    if any(_is_open(verdict) for window in settled for verdict in window.verdicts):
        screen.line("next: credenza review list")


def _show_window(screen: Screen, window: Settlement) -> None:
    grown = f", version {window.version}" if window.version is not None else ""
    screen.line(f"{window.window}  {counts_by_outcome(window.verdicts)}{grown}")
    for note in vouching(r for verdict in window.verdicts for r in verdict.reasons):
        screen.line(f"  note: {note}")
    for alarm in window.alarms:
        screen.line(f"  alarm: {alarm}")
    for campaign in window.campaigns:
        for line in campaign_lines(campaign):
            screen.line(f"  {line}")
    for silence in window.silences:
        screen.line(f"  not assessed: {silence.detector}: {silence.reason}")


def _is_open(verdict: Verdict) -> bool:
    """Whether a person is to look at the batch, or at some of its rows."""
    return bool(verdict.quarantined_rows) or verdict.outcome in {Outcome.HOLD, Outcome.QUARANTINE}
