"""Questions about batches and datasets, answered from the catalog and the ledger."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from credenza.core.errors import NotFoundError
from credenza.core.prefix import beginning
from credenza.core.types import Campaign, Finding, Outcome, Reason, Silence, Version
from credenza.gate.records import campaign_from, finding_from, silence_from
from credenza.gate.review import REVIEWABLE
from credenza.gate.windows import end_of
from credenza.store.rows import BatchRow, HeadRow, VersionRow

if TYPE_CHECKING:
    from credenza.core.canonical import Json
    from credenza.gate.policy import WindowRule
    from credenza.gate.stores import Stores


@dataclass(frozen=True, slots=True)
class BatchRecord:
    """A batch and how far it got."""

    digest: str
    dataset: str
    source: str
    sequence: int
    window: str
    status: str
    records: int
    outcome: str
    reasons: tuple[Reason, ...]
    version: int | None
    quarantined_rows: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a batch was judged as it was."""

    record: BatchRecord
    reasons: tuple[Reason, ...]
    findings: tuple[Finding, ...]
    silences: tuple[Silence, ...]
    campaigns: tuple[Campaign, ...]


def batches(stores: Stores, dataset: str | None, status: str | None) -> list[BatchRecord]:
    """Batches in the order of the ledger."""
    wanted = {"dataset": dataset, "status": status}
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(
            BatchRow, **{key: value for key, value in wanted.items() if value is not None}
        )
    return [record_of(row) for row in sorted(rows, key=lambda row: row.submitted_index)]


def reviews(stores: Stores) -> list[BatchRecord]:
    """Batches that wait for a person: held, quarantined, or admitted without some rows."""
    return [
        record
        for record in batches(stores, None, None)
        if record.status in REVIEWABLE or (record.status == "admitted" and record.quarantined_rows)
    ]


def batch_row(stores: Stores, prefix: str) -> BatchRow:
    """The batch whose digest begins with ``prefix``.

    Raises:
        NotFoundError: none does, or several.
    """
    with stores.journal.catalog.snapshot() as index:
        exact = index.get(BatchRow, prefix)
        if exact is not None:
            return exact
        by_digest = {row.digest: row for row in index.find(BatchRow)}
    return by_digest[beginning(prefix, by_digest, "batch", fix="run `credenza batch list`")]


def record_of(row: BatchRow) -> BatchRecord:
    """The catalog's row as people see it."""
    reasons = tuple(
        Reason(item["rule"], Outcome[item["outcome"].upper()], item["sentence"])
        for item in json.loads(row.reasons)
    )
    return BatchRecord(
        row.digest,
        row.dataset,
        row.source,
        row.sequence,
        row.window,
        row.status,
        row.records,
        row.outcome,
        reasons,
        row.version,
        row.quarantined_rows,
    )


def explain(stores: Stores, row: BatchRow) -> Explanation:
    """The evidence on a batch, as the ledger keeps it, and the reasons of its verdict."""
    record = record_of(row)
    if row.verdict_index is None:
        return Explanation(record, record.reasons, (), (), ())
    verdict = stores.event(row.verdict_index)
    settled = None if row.settled_index is None else stores.event(row.settled_index)
    campaigns: Json = [] if settled is None else settled["campaigns"]
    return Explanation(
        record=record,
        reasons=record.reasons,
        findings=tuple(map(finding_from, _documents(verdict["findings"]))),
        silences=tuple(map(silence_from, _documents(verdict["silences"]))),
        campaigns=tuple(map(campaign_from, _documents(campaigns))),
    )


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a dataset waits to be judged.

    Attributes:
        batches: how many wait for their window.
        ends: the day on which the first of their windows is over, an ISO date; "" when
            none waits, or each is judged as it comes.
    """

    batches: int
    ends: str


def waiting(stores: Stores, rule: WindowRule, dataset: str) -> Waiting:
    """How many batches wait for their window, and until when.

    Raises:
        NotFoundError: nothing was ever submitted to it.
    """
    found = batches(stores, dataset, None)
    if not found:
        with stores.journal.catalog.snapshot() as index:
            known = sorted({row.dataset for row in index.find(HeadRow)})
        raise NotFoundError(
            "no-such-dataset",
            f"no dataset is called {dataset[:100]!r}",
            why=f"batches were submitted to: {', '.join(known) or 'none'}",
            fix="run `credenza batch list`",
        )
    windows = [one.window for one in found if one.status == "waiting"]
    ends = end_of(min(windows), rule) if windows else ""
    return Waiting(len(windows), ends)


def newest_versions(stores: Stores) -> list[Version]:
    """The newest version of every dataset, by the dataset's name."""
    with stores.journal.catalog.snapshot() as index:
        newest = {row.dataset: row for row in index.find(VersionRow)}  # a key's order: oldest first
    return [_version(row) for _, row in sorted(newest.items())]


def versions(stores: Stores, dataset: str) -> list[Version]:
    """Versions of a dataset, oldest first.

    Raises:
        NotFoundError: the dataset has none.
    """
    with stores.journal.catalog.snapshot() as index:
        rows = index.find(VersionRow, dataset=dataset)
    if not rows:
        raise NotFoundError(
            "no-such-dataset",
            f"no dataset is called {dataset!r}",
            why="nothing was admitted to it yet",
            fix="submit batches for it, and settle their windows; `credenza dataset list` has all",
        )
    return [_version(row) for row in rows]


def _version(row: VersionRow) -> Version:
    return Version(row.dataset, row.number, row.rows, row.batches, row.rationale, row.parent)


def version(stores: Stores, dataset: str, number: int | None) -> Version:
    """One version of a dataset, the newest by default.

    Raises:
        NotFoundError: there is none of that number.
    """
    known = versions(stores, dataset)
    if number is None:
        return known[-1]
    for found in known:
        if found.number == number:
            return found
    raise NotFoundError(
        "no-such-version",
        f"{dataset!r} has no version {number}",
        why=f"its versions are: {', '.join(str(found.number) for found in known)}",
        fix=f"run `credenza dataset log {dataset}`",
    )


def _documents(value: Json) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", value)
