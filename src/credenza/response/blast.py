"""How far suspicious rows got: versions, releases, channels, models, and what nobody knows.

Everything is read from the ledger's events; no row of the dataset is. Exact for what the
gate did. Blind to copies made outside of it: a checkout, a release that was unpacked and
changed, a model that was fine-tuned by somebody who did not say so. Where the ledger shows
such a gap, it is named under ``unknown``; a radius without unknowns is as whole as the
ledger is.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from credenza.core.spans import size
from credenza.gate.holdings import holdings, rows_held, unexplained_rows
from credenza.response.channels import Channel, channels
from credenza.response.suspicion import (
    Suspects,
    Suspicion,
    asked_detectors,
    judgements,
    suspects,
)
from credenza.response.training_runs import training_runs
from credenza.store.rows import BatchRow, IntentRow, ReleaseRow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores
    from credenza.response.training_runs import TrainingRun


@dataclass(frozen=True, slots=True)
class ReachedBatch:
    """A batch with suspicious rows: how many, and how many the newest version holds."""

    digest: str
    source: str
    window: str
    status: str
    suspects: int
    held: int


@dataclass(frozen=True, slots=True)
class ReachedVersion:
    """A version, and how many suspicious rows it holds of how many."""

    number: int
    suspects: int
    rows: int


@dataclass(frozen=True, slots=True)
class ReachedRelease:
    """A release of a version that holds suspicious rows."""

    digest: str
    version: int
    standing: str


@dataclass(frozen=True, slots=True)
class ReachedModel:
    """A model that was exposed.

    Attributes:
        releases: of those it was trained on, the ones that hold suspicious rows.
        through: exposed models that it started from.
    """

    model: str
    run: str
    releases: tuple[str, ...]
    through: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Unknown:
    """Something that the ledger cannot say, and about what."""

    kind: str
    sentence: str
    subjects: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """Where suspicious rows got to.

    Attributes:
        channels: those that point to one of the versions now.
    """

    dataset: str
    batches: tuple[ReachedBatch, ...]
    versions: tuple[ReachedVersion, ...]
    releases: tuple[ReachedRelease, ...]
    channels: tuple[Channel, ...]
    models: tuple[ReachedModel, ...]
    unknown: tuple[Unknown, ...]


def blast_radius(stores: Stores, suspicion: Suspicion) -> BlastRadius:
    """How far a suspicion reaches.

    Raises:
        NotFoundError: the dataset, a source, a batch or a row does not exist.
        UsageError: nothing is named, or something is malformed.

    Complexity:
        One document for each version that holds a suspect batch; whole verdicts are read
        only where detectors are named. Nothing depends on the number of rows.
    """
    found = suspects(stores, suspicion)
    dataset = suspicion.dataset
    held = holdings(stores, dataset, found.rows)
    holding = {number: rows_held(rows) for number, rows in held.items() if rows}
    with stores.journal.catalog.snapshot() as index:
        known = sorted(index.find(ReleaseRow, dataset=dataset), key=lambda row: row.version)
    made = [row for row in known if row.version in holding]
    counts = {number: stores.datasets.count(dataset, number) for number in holding}
    runs = tuple(training_runs(stores))
    exposed = _models(runs, frozenset(row.digest for row in made))
    told = _Told(stores, suspicion, tuple(made), exposed, runs)
    now = held[max(held)] if held else {}
    return BlastRadius(
        dataset=dataset,
        batches=tuple(_batch(row, found, size(now.get(row.digest, ()))) for row in found.batches),
        versions=tuple(ReachedVersion(n, rows, counts[n]) for n, rows in holding.items()),
        releases=tuple(ReachedRelease(row.digest, row.version, row.standing) for row in made),
        channels=tuple(one for one in channels(stores, dataset) if one.version in holding),
        models=exposed,
        unknown=tuple(one for look in GAPS for one in look(told)),
    )


def _batch(row: BatchRow, found: Suspects, held: int) -> ReachedBatch:
    suspected = size(found.rows[row.digest])
    return ReachedBatch(row.digest, row.source, row.window, row.status, suspected, held)


def _models(runs: tuple[TrainingRun, ...], exposed: frozenset[str]) -> tuple[ReachedModel, ...]:
    """Models trained on an exposed release, or started from an exposed model, to the end."""
    by_base: dict[str, list[TrainingRun]] = defaultdict(list)
    for run in runs:
        for base in run.bases:
            by_base[base].append(run)
    reached = {run.run: run for run in runs if exposed & set(run.releases)}
    front = list(reached.values())
    while front:
        heirs = [heir for run in front for heir in by_base[run.model] if heir.run not in reached]
        front = list({heir.run: heir for heir in heirs}.values())
        reached.update({heir.run: heir for heir in front})
    models = {run.model for run in reached.values()}
    return tuple(
        ReachedModel(
            run.model,
            run.run,
            tuple(one for one in run.releases if one in exposed),
            tuple(one for one in run.bases if one in models),
        )
        for run in runs
        if run.run in reached
    )


class _Told(NamedTuple):
    """What the ledger tells of a suspicion, for those who look for what it does not tell."""

    stores: Stores
    suspicion: Suspicion
    releases: tuple[ReleaseRow, ...]
    models: tuple[ReachedModel, ...]
    runs: tuple[TrainingRun, ...]


def _untold_releases(told: _Told) -> Iterator[Unknown]:
    trained = {release for run in told.runs for release in run.releases}
    for row in told.releases:
        if row.digest not in trained:
            yield Unknown(
                "untold-release",
                f"nobody said what was trained on release {row.digest[:12]} "
                f"of version {row.version}",
                (row.digest,),
            )


def _unseen_runs(told: _Told) -> Iterator[Unknown]:
    known = {one.run for one in told.models}
    unseen = tuple(
        run.run for run in told.runs if run.releases and not run.verified and run.run not in known
    )
    if unseen:
        yield Unknown(
            "unseen-run",
            f"{len(unseen)} training runs named other releases and did not show their files",
            unseen,
        )


def _unexplained(told: _Told) -> Iterator[Unknown]:
    for number, rows in unexplained_rows(told.stores, told.suspicion.dataset).items():
        yield Unknown(
            "no-lineage",
            f"version {number} holds {abs(rows)} rows {'more' if rows > 0 else 'fewer'} than "
            "the ledger accounts for",
            (str(number),),
        )


def _unfinished(told: _Told) -> Iterator[Unknown]:
    with told.stores.journal.catalog.snapshot() as index:
        pending = index.find(IntentRow, dataset=told.suspicion.dataset, done=0)
    if pending:
        yield Unknown(
            "unfinished",
            f"{len(pending)} recorded changes of the dataset have no version yet",
            tuple(row.digest for row in pending),
        )


def _unjudged(told: _Told) -> Iterator[Unknown]:
    """Admitted batches that a detector in question never looked at."""
    names = told.suspicion.detectors
    if not names:
        return
    with told.stores.journal.catalog.snapshot() as index:
        admitted = index.find(BatchRow, dataset=told.suspicion.dataset, status="admitted")
    asked = asked_detectors(told.stores)
    heard: dict[str, set[str]] = defaultdict(set)
    for digest, document in judgements(told.stores, admitted):
        heard[digest] |= _speaking(document, asked)
    for name in names:
        deaf = tuple(row.digest for row in admitted if name not in heard[row.digest])
        if deaf:
            yield Unknown(
                "never-judged",
                f"{len(deaf)} admitted batches were never judged by {name}: they were vouched "
                "for, or their verdict is older than the detector or without it",
                deaf,
            )


def _speaking(document: Mapping[str, Json], asked: Mapping[str, frozenset[str]]) -> frozenset[str]:
    """Detectors that looked at a batch: those that the policy asked, less the silent ones."""
    reasons = cast("list[dict[str, Json]]", document.get("reasons", []))
    if any(reason["rule"] == "vouched" for reason in reasons):
        return frozenset()
    silences = cast("list[dict[str, Json]]", document.get("silences", []))
    silent = {str(one["detector"]) for one in silences}
    # Where screening as a whole failed, no detector was asked.
    every = asked.get(str(document["policy"]), frozenset())
    return frozenset() if "screening" in silent else every - silent


GAPS: tuple[Callable[[_Told], Iterator[Unknown]], ...] = (
    _untold_releases,
    _unseen_runs,
    _unexplained,
    _unfinished,
    _unjudged,
)
"""Each looks for one kind of gap in what the ledger can say."""
