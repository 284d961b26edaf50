"""Row, batch, source, version, release and model: from each to all the others.

Downward (where did it go) and upward (what is it made of). Models are those that training
jobs reported; blind to a job that says nothing, and to copies made outside.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from credenza.core.errors import NotFoundError
from credenza.datasets.lineage import Origin, batch_reach, row_origin, version_batches
from credenza.store.rows import BatchRow, ReleaseRow, TrainingRunRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class Trace:
    """Where one row came from, and where its version went.

    Attributes:
        origin: batch, position in it and sender.
        releases: made from versions that hold its batch.
        models: trained on one of them, or started from such a model.
    """

    origin: Origin
    versions: tuple[int, ...]
    releases: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Descent:
    """Where a batch or all of a source's batches to one dataset got to.

    Attributes:
        rows: of them in the newest version.
        versions: numbers of the versions that hold any of it.
        releases: digests of the releases made from those versions.
        models: SHA-256 of models trained on these, or started from such a model.
    """

    dataset: str
    sources: tuple[str, ...]
    batches: tuple[str, ...]
    rows: int
    versions: tuple[int, ...]
    releases: tuple[str, ...]
    models: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Ancestry:
    """What a version, release or model is made of.

    Attributes:
        of: its name: DATASET/VERSION, or a digest.
        models: it started from, and they from.
        releases: it was trained on.
        versions: dataset and number of each of those.
    """

    of: str
    models: tuple[str, ...]
    releases: tuple[str, ...]
    versions: tuple[tuple[str, int], ...]
    batches: tuple[str, ...]
    sources: tuple[str, ...]


def of_row(stores: Stores, dataset: str, version: int, position: int) -> Trace:
    """A row of a version: back to its sender, and on to releases and models."""
    origin = row_origin(stores.datasets, dataset, version, position)
    with stores.journal.catalog.snapshot() as index:
        batch = index.get(BatchRow, origin.batch)
    if batch is None:
        raise NotFoundError(
            "no-such-batch",
            f"the row's batch {origin.batch[:16]} is unknown",
            why="the dataset names it, the catalog does not",
            fix="run `credenza catalog rebuild`",
        )
    down = _descent(stores, [batch], dataset)
    return Trace(origin, down.versions, down.releases, down.models)


def of_batch(stores: Stores, row: BatchRow) -> Descent:
    """Versions, releases and models that hold rows of one batch."""
    return _descent(stores, [row], row.dataset)


def of_source(stores: Stores, source: str) -> list[Descent]:
    """The same for all batches of a sender: one answer for each dataset it sent to."""
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(BatchRow, source=source)
    return [
        _descent(stores, [row for row in rows if row.dataset == dataset], dataset)
        for dataset in sorted({row.dataset for row in rows})
    ]


def of_version(stores: Stores, dataset: str, version: int) -> Ancestry:
    """The batches and sources that a version holds."""
    return _ancestry(stores, f"{dataset}/{version}", (), (), [(dataset, version)])


def of_release(stores: Stores, release: ReleaseRow) -> Ancestry:
    """The version, batches and sources behind a release."""
    where = [(release.dataset, release.version)]
    return _ancestry(stores, release.digest, (), (release.digest,), where)


def of_model(stores: Stores, prefix: str) -> Ancestry:
    """Everything behind a model: those it started from, releases, versions, batches, sources.

    Raises:
        NotFoundError: no training job reported a model or run of that name.
    """
    with stores.journal.catalog.snapshot() as index:
        runs = index.find(TrainingRunRow)
        known = {row.digest: row for row in index.find(ReleaseRow)}
    found = {
        run.model for run in runs if run.run == prefix or (prefix[3:] and _begins(run, prefix))
    }
    if len(found) != 1:
        raise NotFoundError(
            "no-such-model",
            f"{len(found) or 'no'} model is called {prefix[:70]!r}",
            why=f"{len(runs)} training runs were reported",
            fix="report them with `credenza train-run`",
        )
    model = found.pop()
    behind = {model}
    while more := {base for run in runs if run.model in behind for base in run.bases} - behind:
        behind |= more
    releases = sorted({one for run in runs if run.model in behind for one in run.releases})
    made = [known[digest] for digest in releases if digest in known]
    where = sorted({(row.dataset, row.version) for row in made})
    return _ancestry(stores, model, tuple(sorted(behind - {model})), tuple(releases), where)


def _begins(run: TrainingRunRow, prefix: str) -> bool:
    return run.model.startswith(prefix)


def _ancestry(
    stores: Stores,
    of: str,
    models: tuple[str, ...],
    releases: tuple[str, ...],
    versions: Iterable[tuple[str, int]],
) -> Ancestry:
    batches: set[str] = set()
    where = tuple(versions)
    for dataset, number in where:
        with stores.journal.catalog.snapshot() as index:
            batches |= version_batches(index.find(VersionRow, dataset=dataset), number)
    # The sender is the one who signed, whatever the catalog says.
    sources = {stores.manifest(digest).source for digest in batches}
    return Ancestry(of, models, releases, where, tuple(sorted(batches)), tuple(sorted(sources)))


def _descent(stores: Stores, rows: list[BatchRow], dataset: str) -> Descent:
    with stores.journal.catalog.snapshot() as index:
        versions = index.find(VersionRow, dataset=dataset)
        made = index.find(ReleaseRow, dataset=dataset)
        runs = index.find(TrainingRunRow)
    reach = batch_reach(stores.datasets, rows, versions, made)
    return Descent(
        dataset,
        tuple(sorted({row.source for row in rows})),
        reach.batches,
        reach.rows,
        reach.versions,
        reach.releases,
        _exposed(runs, reach.releases),
    )


def _exposed(runs: list[TrainingRunRow], releases: tuple[str, ...]) -> tuple[str, ...]:
    """Models trained on any of the releases, and those that started from one of them."""
    models = {run.model for run in runs if set(run.releases) & set(releases)}
    while more := {run.model for run in runs if set(run.bases) & models} - models:
        models |= more
    return tuple(sorted(models))
