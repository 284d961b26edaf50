"""``credenza dataset``: versions, which are only ever followed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from credenza.core.jsonable import jsonable
from credenza.interfaces.cli.answer import Answer
from credenza.interfaces.cli.command import family, open_workspace
from credenza.interfaces.cli.terminal import Screen, count, short

if TYPE_CHECKING:
    from credenza.campaigns.diversity import Influence
    from credenza.core.types import Version


@family("dataset")
def command() -> None:
    """Versions of a dataset: look, check out, roll back."""


@command.use_case("list", examples=("credenza dataset list",))
def list_datasets(home: Path | None) -> Answer:
    """List all datasets, each with its newest version."""
    with open_workspace(home) as workspace:
        found = workspace.datasets.all()

    def show(screen: Screen) -> None:
        screen.table(
            ("dataset", "version", "rows"),
            [(one.dataset, one.number, f"{one.rows:,}") for one in found],
        )
        screen.line(count(len(found), "dataset"))

    return Answer("credenza.datasets/1", {"datasets": [jsonable(one) for one in found]}, show)


@command.use_case("log", examples=("credenza dataset log flights",))
@click.argument("dataset")
def log(home: Path | None, dataset: str) -> Answer:
    """List the versions of DATASET and why each was made."""
    with open_workspace(home) as workspace:
        versions = workspace.datasets.log(dataset)

    def show(screen: Screen) -> None:
        screen.table(
            ("version", "rows", "batches", "why"),
            [(v.number, f"{v.rows:,}", len(v.batches), v.rationale) for v in versions],
        )
        screen.line(count(len(versions), "version"))

    return Answer(
        "credenza.versions/1",
        {"dataset": dataset, "versions": [jsonable(one) for one in versions]},
        show,
    )


@command.use_case("show", examples=("credenza dataset show flights",))
@click.argument("dataset")
@click.option("--version", type=int, help="The newest by default.")
def show_version(home: Path | None, dataset: str, version: int | None) -> Answer:
    """Show one version: rows, rationale, the batches it was made of."""
    with open_workspace(home) as workspace:
        return _one(workspace.datasets.version(dataset, version))


@command.use_case(
    "sources",
    examples=("credenza dataset sources flights", "credenza dataset sources flights --groups"),
)
@click.argument("dataset")
@click.option("--version", type=int, help="The newest by default.")
@click.option("--groups", is_flag=True, help="Sources of one declared group count as one.")
def show_sources(home: Path | None, dataset: str, version: int | None, *, groups: bool) -> Answer:
    """Show on whom a version rests: rows, leverage, labels, subgroups.

    Leverage is a source's share of what a linear model of all columns can learn: more than
    its share of rows where these are unusual. `monitor` shows the same of the newest window.
    """
    with open_workspace(home) as workspace:
        found = workspace.datasets.influence(dataset, version, groups=groups)

    def show(screen: Screen) -> None:
        screen.fields(
            [
                ("dataset", found.dataset),
                ("version", found.version),
                ("looked at", f"{found.looked_at:,} of {count(found.rows, 'row')}"),
            ]
        )
        screen.table(
            (
                "group" if groups else "source",
                "rows",
                "leverage",
                "most of a label",
                "of a subgroup",
            ),
            [_share_row(one) for one in found.sources],
        )

    return Answer("credenza.dataset-sources/1", {"influence": jsonable(found)}, show)


def _share_row(one: Influence) -> tuple[str, ...]:
    label = max(one.labels, key=lambda value: one.labels[value], default="")
    most = f"{one.labels[label]:.0%} of {label}" if label else ""
    subgroup = f"{one.of_subgroup:.0%} of {one.subgroup}" if one.subgroup else ""
    return one.source, f"{one.rows:.1%}", f"{one.leverage:.1%}", most, subgroup


@command.use_case(
    "rollback",
    governed=True,
    examples=('credenza dataset rollback flights 1 --reason "a partner was hacked"',),
)
@click.argument("dataset")
@click.argument("version", type=int)
@click.option("--reason", required=True, help="Goes into the ledger.")
@click.option("--reinstate", is_flag=True, help="Also bring back what was excised since.")
def rollback(
    home: Path | None, dataset: str, version: int, reason: str, *, reinstate: bool
) -> Answer:
    """Make the content of VERSION the newest version. Nothing is destroyed."""
    with open_workspace(home) as workspace:
        return _one(workspace.datasets.rollback(dataset, version, reason, reinstate=reinstate))


@command.use_case("checkout", examples=("credenza dataset checkout flights --out flights-now",))
@click.argument("dataset")
@click.option("--version", type=int, help="The newest by default.")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Where the Parquet goes; must not exist yet.",
)
def checkout(home: Path | None, dataset: str, version: int | None, out: Path) -> Answer:
    """Write the rows of a version as Parquet, unsigned: for looking, not for training."""
    with open_workspace(home) as workspace:
        chosen = workspace.datasets.version(dataset, version)
        workspace.datasets.checkout(dataset, chosen.number, out)

    def show(screen: Screen) -> None:
        screen.line(f"wrote version {chosen.number}, {count(chosen.rows, 'row')}, to {out}")

    return Answer("credenza.checkout/1", {"version": jsonable(chosen), "out": str(out)}, show)


def _one(version: Version) -> Answer:
    def show(screen: Screen) -> None:
        screen.fields(
            [
                ("dataset", version.dataset),
                ("version", version.number),
                ("parent", version.parent),
                ("rows", f"{version.rows:,}"),
                ("why", version.rationale),
                ("batches", len(version.batches)),
                *(("batch", short(digest)) for digest in version.batches[:20]),
            ]
        )

    return Answer("credenza.version/1", {"version": jsonable(version)}, show)
