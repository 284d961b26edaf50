"""``credenza train-run``: what was trained on what."""

from __future__ import annotations

import re
from pathlib import Path

import click

from credenza.core.errors import UsageError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case
from credenza.interfaces.cli.terminal import Screen, short

_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


@use_case(
    "train-run",
    examples=("credenza train-run nightly-7 --model model.bin --on flights-r1",),
)
@click.argument("run")
@click.option(
    "--model", required=True, metavar="FILE", help="What came out: a file, or its SHA-256."
)
@click.option(
    "--on",
    "directory",
    type=click.Path(file_okay=False, path_type=Path),
    help="The release it was trained on; verified before it is recorded.",
)
@click.option("--release", "releases", multiple=True, help="A release's digest, unverified.")
@click.option("--base", "bases", multiple=True, help="A recorded model that it started from.")
@click.option(
    "--tag", "tags", type=(str, str), multiple=True, metavar="NAME VALUE", help="To find it by."
)
def command(  # noqa: PLR0917 - click passes each option by its name
    home: Path | None,
    run: str,
    model: str,
    directory: Path | None,
    releases: tuple[str, ...],
    bases: tuple[str, ...],
    tags: tuple[tuple[str, str], ...],
) -> Answer:
    """Record that RUN made a model from releases, so that exposure is known later.

    The JSON answer has the run as flat tags for an experiment tracker.
    """
    from credenza.response.training_runs import file_digest, tags_of  # noqa: PLC0415

    if len(dict(tags)) != len(tags):
        raise UsageError(
            "bad-tag", "a tag is given twice", why="a tag has one value", fix="give each name once"
        )
    with open_workspace(home) as workspace:
        recorded = workspace.response.train_run(
            run,
            model if _DIGEST.match(model) else file_digest(Path(model)),
            releases=releases,
            bases=bases,
            directory=directory,
            tags=dict(tags),
        )

    def show(screen: Screen) -> None:
        screen.line(
            f"run {recorded.run} made model {short(recorded.model)} from "
            f"{', '.join(map(short, recorded.releases)) or 'no release'}"
        )

    return Answer(
        "credenza.train-run/1", {"run": jsonable(recorded), "tags": tags_of(recorded)}, show
    )
