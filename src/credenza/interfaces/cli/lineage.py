"""``credenza lineage``: from a row to its sender, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from credenza.core.errors import UsageError
from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import open_workspace, use_case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credenza.gate.completeness import Completeness
    from credenza.interfaces.cli.terminal import Screen


@use_case(
    "lineage",
    examples=(
        "credenza lineage --row flights 1 0",
        "credenza lineage --batch BATCH",
        "credenza lineage --source acme",
        "credenza lineage --version flights 1",
        "credenza lineage --release RELEASE",
        "credenza lineage --model nightly-7",
        "credenza lineage --complete flights",
    ),
)
@click.option(
    "--row",
    type=(str, int, int),
    metavar="DATASET VERSION POSITION",
    help="Which batch and source a row came from, and which models learnt from it.",
)
@click.option(
    "--batch", default="", metavar="BATCH", help="Which versions, releases and models hold a batch."
)
@click.option("--source", default="", metavar="SOURCE", help="Where everything of a source went.")
@click.option(
    "--version",
    type=(str, int),
    metavar="DATASET VERSION",
    help="Which batches and sources a version holds.",
)
@click.option("--release", default="", metavar="RELEASE", help="What a release is made of.")
@click.option("--model", default="", metavar="MODEL", help="What a model or run was trained on.")
@click.option(
    "--complete",
    default="",
    metavar="DATASET",
    help="How many rows of its newest version lead back to signed bytes and a verdict.",
)
def command(home: Path | None, **asked: Any) -> Answer:  # noqa: ANN401 - one of the options
    """Follow rows, batches and sources to models, and models back to rows and sources.

    `--complete` counts: for every row it looks up its batch, the manifest that the source
    signed, submission, verdict and original bytes, and recomputes their digests.
    """
    named = {name: value for name, value in asked.items() if value}
    if len(named) != 1:
        raise UsageError(
            "bad-usage",
            f"give exactly one of {', '.join(f'--{name}' for name in asked)}",
            why=f"{len(named)} of them were given",
            fix="run `credenza lineage --help`",
        )
    with open_workspace(home) as workspace:
        if "complete" in named:
            return _completeness(workspace.lineage.completeness(named["complete"]))
        answers = workspace.lineage.of(**named)

    def show(screen: Screen) -> None:
        for answer in answers:
            screen.fields(_pairs(jsonable(answer)))

    return Answer("credenza.lineage/1", {"lineage": [jsonable(one) for one in answers]}, show)


def _completeness(found: Completeness) -> Answer:
    def show(screen: Screen) -> None:
        screen.line(
            f"{found.whole:,} of {found.rows:,} rows ({found.share:.2%}) of version "
            f"{found.version} of {found.dataset}, from {found.batches} batches, lead back to "
            "signed bytes and a verdict"
        )
        for reason, rows in found.missing:
            screen.line(f"  {rows:,} rows: {reason}")

    return Answer(
        "credenza.completeness/1",
        {"completeness": jsonable(found), "share": found.share},
        show,
    )


def _pairs(body: object) -> Iterator[tuple[str, object]]:
    """Fields for people: a list is one field per item."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, dict):
            yield from _pairs(value)
        elif isinstance(value, list):
            yield from ((name, item) for item in value)
        else:
            yield name, value
