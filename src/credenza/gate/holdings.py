"""Which version holds which rows, from the ledger alone: no row is read.

A version adds what its event asked to publish, loses what its event asked to excise, and
otherwise holds what its parent held. Blind to a dataset that somebody changed behind the
gate's back; the counts that ``unexplained_rows`` compares would show it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from credenza.core.spans import Spans, common, from_json, minus, size, spans_of, united
from credenza.store.rows import BatchRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores

    Held = Mapping[str, Spans]


def holdings(stores: Stores, dataset: str, wanted: Mapping[str, Spans]) -> dict[int, Held]:
    """By version, the rows among ``wanted`` that it holds, by batch; {} when none.

    Args:
        stores: the workspace.
        dataset: whose versions.
        wanted: batch digest to positions in that batch.

    Complexity:
        One document for each version that added or excised a wanted batch.
    """
    with stores.journal.catalog.snapshot() as index:
        versions = index.find(VersionRow, dataset=dataset)
        records = {row.digest: row.records for row in index.find(BatchRow, dataset=dataset)}
    found: dict[int, Held] = {}
    for version in sorted(versions, key=lambda row: row.number):
        before = found.get(version.parent, {}) if version.parent is not None else {}
        held = dict(before)
        for batch, came, went in _changes(stores, version, wanted, records):
            rows = minus(united([*held.get(batch, ()), *common(came, wanted[batch])]), went)
            held[batch] = rows
        held = {batch: rows for batch, rows in held.items() if rows}
        found[version.number] = before if held == before else held
    return found


def segments(stores: Stores, dataset: str, version: int) -> list[tuple[str, Spans]]:
    """Batch and positions of every run of rows of a version, in the version's order.

    What the dataset must hold if the ledger is right: batches in the order in which they
    were added, each less what was excised since.
    """
    with stores.journal.catalog.snapshot() as index:
        versions = {row.number: row for row in index.find(VersionRow, dataset=dataset)}
        records = {row.digest: row.records for row in index.find(BatchRow, dataset=dataset)}
    everything = {digest: whole(count) for digest, count in records.items()}
    line: list[VersionRow] = []
    at: int | None = version
    while at is not None:
        line.append(versions[at])
        at = versions[at].parent
    found: list[tuple[str, Spans]] = []
    for made in reversed(line):
        for batch, came, went in _changes(stores, made, everything, records):
            if went:
                found = [
                    (name, minus(rows, went) if name == batch else rows) for name, rows in found
                ]
            if came:
                found.append((batch, came))
    return [(batch, rows) for batch, rows in found if rows]


def whole(records: int) -> Spans:
    """Every row of a batch."""
    return ((0, records),) if records else ()


def rows_held(held: Held) -> int:
    """How many rows that is."""
    return sum(size(rows) for rows in held.values())


def unexplained_rows(stores: Stores, dataset: str) -> dict[int, int]:
    """Rows by version that the ledger's events do not account for; {} when all fits.

    Complexity:
        One document for each version; time and memory follow versions times batches.
    """
    with stores.journal.catalog.snapshot() as index:
        versions = index.find(VersionRow, dataset=dataset)
        batches = index.find(BatchRow, dataset=dataset)
    told = holdings(stores, dataset, {row.digest: whole(row.records) for row in batches})
    odd = {row.number: row.rows - rows_held(told[row.number]) for row in versions}
    return {number: rows for number, rows in odd.items() if rows}


def _changes(
    stores: Stores,
    version: VersionRow,
    wanted: Mapping[str, Spans],
    records: Mapping[str, int],
) -> Iterator[tuple[str, Spans, Spans]]:
    """Batch, rows that came and rows that went with a version; of wanted batches only."""
    if not (version.excises or wanted.keys() & set(version.batches)):
        return
    document = stores.journal.document(version.intent)
    for part in _documents(document.get("publish", [])):
        batch = str(part["batch"])
        if batch in wanted:
            came = whole(records[batch]) if part["only"] is None else _listed(part["only"])
            yield batch, minus(came, _listed(part["without"])), ()
    for part in _documents(document.get("parts", [])):
        batch = str(part["batch"])
        if batch in wanted:
            yield batch, (), from_json(part["rows"])


def _documents(value: Json) -> list[dict[str, Json]]:
    return cast("list[dict[str, Json]]", value)


def _listed(value: Json) -> Spans:
    return spans_of(cast("list[int]", value))
