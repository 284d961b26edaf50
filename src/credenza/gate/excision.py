"""Rows that were admitted and must go, and the rule that what is gone stays gone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from credenza.core.errors import ConflictError
from credenza.core.spans import common, minus, positions, to_json
from credenza.gate.fold_response import excised_rows
from credenza.gate.holdings import holdings, rows_held, whole
from credenza.gate.journal import Event
from credenza.store.rows import BatchRow, ExcisedRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from credenza.core.canonical import Json
    from credenza.core.spans import Spans
    from credenza.gate.holdings import Held
    from credenza.gate.stores import Stores


def excision(stores: Stores, dataset: str, gone: Mapping[str, Spans], rationale: str) -> Event:
    """The event that takes rows out of a dataset's newest version.

    Record it, and ``finish_pending`` makes the version without them. Only rows that are
    there are named, so the event says exactly what went.

    Args:
        stores: the workspace, locked for writing.
        dataset: its name.
        gone: batch digest to positions in that batch.
        rationale: goes into the version.

    Raises:
        ConflictError: the newest version holds none of them.
    """
    held = held_now(stores, dataset, gone)
    parts: list[Json] = []
    for batch in sorted(gone):
        rows = common(held.get(batch, ()), gone[batch])
        if rows:
            is_whole = rows == held[batch]
            parts.append({"batch": batch, "rows": to_json(rows), "whole": is_whole})
    if not parts:
        raise ConflictError(
            "nothing-to-excise",
            f"the newest version of {dataset!r} holds none of these rows",
            why="they were excised already, rolled back, or never admitted",
            fix="see `credenza blast` for the versions that hold them",
        )
    document: dict[str, Json] = {
        "dataset": dataset,
        "parts": parts,
        "rationale": rationale,
        "at": stores.journal.ledger.size,  # excised, reinstated and excised again is two of them
    }
    return Event("excision", document)


def held_now(stores: Stores, dataset: str, batches: Mapping[str, object]) -> Held:
    """The rows of some batches that the newest version holds, by batch."""
    with stores.journal.catalog.snapshot() as index:
        newest = index.newest(VersionRow, dataset=dataset)
        rows = [row for row in index.find(BatchRow, dataset=dataset) if row.digest in batches]
    if newest is None:
        return {}
    return holdings(stores, dataset, {row.digest: whole(row.records) for row in rows})[
        newest.number
    ]


def excised_in(stores: Stores, dataset: str, version: int) -> Held:
    """Rows that were excised from the dataset and that an earlier version still holds."""
    with stores.journal.catalog.snapshot() as index:
        gone = {row.batch: excised_rows(row) for row in index.find(ExcisedRow, dataset=dataset)}
    return holdings(stores, dataset, gone).get(version, {}) if any(gone.values()) else {}


def refuse_excised(stores: Stores, dataset: str, version: int) -> None:
    """Stop whoever would hand out what was excised.

    Raises:
        ConflictError: the version holds excised rows.
    """
    held = excised_in(stores, dataset, version)
    if held:
        raise ConflictError(
            "excised-rows",
            f"version {version} of {dataset!r} holds {rows_held(held)} rows that were excised",
            why=f"they are of {len(held)} batches, which no release or channel may hold again",
            fix="use a newer version, or bring them back with `credenza dataset rollback "
            "… --reinstate` and a reason",
        )


def reinstated(stores: Stores, dataset: str, version: int) -> list[Json]:
    """What a rollback to ``version`` brings back although it was excised, as the ledger says it."""
    return [
        {"batch": batch, "rows": to_json(rows), "whole": True}
        for batch, rows in sorted(excised_in(stores, dataset, version).items())
    ]


def without_excised(stores: Stores, row: BatchRow, table: pa.Table) -> pa.Table:
    """A batch's rows less those that were excised."""
    with stores.journal.catalog.snapshot() as index:
        gone = excised_rows(index.get(ExcisedRow, row.digest))
    return table.take(positions(minus(whole(row.records), gone))) if gone else table
