"""``credenza rehearse``: a recovery drill on a copy."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, Any

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.suspicion import suspicion_of, suspicion_options
from credenza.interfaces.cli.terminal import Screen, count

if TYPE_CHECKING:
    from pathlib import Path

FAILED = 1


@use_case("rehearse", judges=True, examples=("credenza rehearse flights --seed 3",))
@suspicion_options
@click.option("--seed", type=int, default=0, help="Of the sender and window that are drawn.")
@click.option("--retrain", metavar="COMMAND", help="Trains on {release} and writes {model}.")
def command(home: Path | None, seed: int, retrain: str | None, **told: Any) -> Answer:  # noqa: ANN401 - click's parameters
    """Recover a copy of the workspace, time every step, and write the scorecard down.

    Rehearses the suspicion that is given, or one sender from some window on, drawn by the
    seed. Exits with 1 when a step failed.
    """
    from credenza.response.steps.step import Wishes  # noqa: PLC0415 - help stays light
    from credenza.response.suspicion import Suspicion  # noqa: PLC0415

    dataset = told["dataset"]
    suspicion = suspicion_of(told)
    is_drawn = suspicion == Suspicion(dataset)
    with open_workspace(home) as workspace:
        card = workspace.response.rehearse(
            dataset,
            suspicion=None if is_drawn else suspicion,
            wishes=Wishes(retrain=tuple(shlex.split(retrain))) if retrain else None,
            seed=seed,
        )

    def show(screen: Screen) -> None:
        screen.line(
            f"{count(card.rows, 'row')} in {count(card.batches, 'batch', 'batches')} under "
            f"suspicion; the copy took {card.copied_s:.2f} s"
        )
        screen.table(
            ("step", "phase", "seconds"),
            [(one.name, one.phase, f"{one.seconds:.2f}") for one in card.steps],
        )
        if card.failure:
            screen.line(f"failed: {card.failure}")

    return Answer(
        "credenza.rehearsal/1",
        {"scorecard": jsonable(card)},
        show,
        exit_code=FAILED if card.failure else 0,
    )
