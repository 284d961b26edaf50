"""``credenza lineage``: from a row to its sender, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from credenza.core.errors import UsageError
from credenza.interfaces.cli.answer import Answer, jsonable
from credenza.interfaces.cli.command import open_workspace, use_case

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from credenza.interfaces.cli.terminal import Screen


@use_case(
    "lineage",
    examples=(
        "credenza lineage --row flights 1 0",
        "credenza lineage --batch BATCH",
        "credenza lineage --source acme",
    ),
)
@click.option(
    "--row",
    type=(str, int, int),
    metavar="DATASET VERSION POSITION",
    help="Which batch and source a row came from.",
)
@click.option("--batch", metavar="BATCH", help="Which versions and releases hold a batch.")
@click.option("--source", metavar="SOURCE", help="Where everything of a source went.")
def command(
    home: Path | None,
    row: tuple[str, int, int] | None,
    batch: str | None,
    source: str | None,
) -> Answer:
    """Follow a row back to its sender, or a batch or source forward to releases."""
    asked = [one for one in (row, batch, source) if one is not None]
    if len(asked) != 1:
        raise UsageError(
            "bad-usage",
            "give exactly one of --row, --batch and --source",
            why=f"{len(asked)} of them were given",
            fix="run `credenza lineage --help`",
        )
    with open_workspace(home) as workspace:
        found = workspace.lineage(row=row, batch=batch, source=source)
    answers = found if isinstance(found, list) else [found]

    def show(screen: Screen) -> None:
        for answer in answers:
            screen.fields(_pairs(jsonable(answer)))

    return Answer("credenza.lineage/1", {"lineage": [jsonable(one) for one in answers]}, show)


def _pairs(body: object) -> Iterator[tuple[str, object]]:
    """Fields for people: a list is one field per item."""
    for name, value in body.items() if isinstance(body, dict) else ():
        if isinstance(value, list):
            yield from ((name, item) for item in value)
        else:
            yield name, value
