"""``credenza settle``: judge the windows that are complete."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from credenza.interfaces.cli.answer import Answer, exit_of, jsonable, worst
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.stories import campaign_lines, counts_by_outcome
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.gate.settlement import Settlement

# A verdict's outcome as the status its batch has afterwards.
STATUS_OF_OUTCOME = {
    "admit": "admitted",
    "hold": "held",
    "quarantine": "quarantined",
    "reject": "rejected",
}


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

    What passes becomes a new version of the dataset; what does not waits in
    `credenza review list`. The exit code is that of the worst batch.
    """
    told = Screen(sys.stderr)

    def progress(window: Settlement) -> None:
        if told.live:
            told.line(f"{window.window} settled", style="dim")

    with open_workspace(home) as workspace:
        settled = workspace.settle(dataset, until=until, progress=progress)
    codes = [
        exit_of(STATUS_OF_OUTCOME[verdict.outcome.name.lower()])
        for window in settled
        for verdict in window.verdicts
    ]

    def show(screen: Screen) -> None:
        for window in settled:
            grown = f", version {window.version}" if window.version is not None else ""
            screen.line(f"{window.window}  {counts_by_outcome(window.verdicts)}{grown}")
            for alarm in window.alarms:
                screen.line(f"  alarm: {alarm}")
            for campaign in window.campaigns:
                for line in campaign_lines(campaign):
                    screen.line(f"  {line}")
            for silence in window.silences:
                screen.line(f"  not assessed: {silence.detector}: {silence.reason}")
        screen.line(f"settled {count(len(settled), 'window')}")

    return Answer(
        "credenza.settlement/1",
        {"dataset": dataset, "windows": [jsonable(window) for window in settled]},
        show,
        worst(codes),
    )
