"""Recorded changes of a dataset become versions, each exactly once.

The ledger first holds the intent (a settlement, a decision, a rollback), then the dataset
commits a transaction that carries the intent's digest, then the ledger holds the version.
A crash between any two is finished by the next writer: the dataset finds the transaction
by its id instead of committing it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy as np
import pyarrow as pa

from credenza.core.errors import InternalError
from credenza.core.spans import from_json
from credenza.core.types import Version
from credenza.datasets.checks import ID
from credenza.datasets.lineage_columns import with_lineage
from credenza.gate.journal import Event
from credenza.store.rows import BatchRow, IntentRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores

    Document = Mapping[str, Json]


def finish_pending(stores: Stores) -> list[Version]:
    """Publish every recorded intent that has no version yet, in order."""
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        pending = index.find(IntentRow, done=0)
    return [_publish(stores, intent) for intent in sorted(pending, key=lambda row: row.index)]


class _Change(NamedTuple):
    """What an intent did to the dataset; ``removed`` is None unless it took rows out."""

    number: int
    batches: tuple[str, ...]
    parent: int | None
    removed: tuple[str, ...] | None = None


def _publish(stores: Stores, intent: IntentRow) -> Version:
    document = stores.journal.document(intent.digest)
    change = _CHANGES.get(intent.kind, _added)(stores, intent, document)
    version = Version(
        dataset=intent.dataset,
        number=change.number,
        rows=stores.datasets.count(intent.dataset, change.number),
        batches=change.batches,
        rationale=str(document["rationale"]),
        parent=change.parent,
    )
    told: dict[str, Json] = {
        "intent": intent.digest,
        "dataset": version.dataset,
        "number": version.number,
        "rows": version.rows,
        "batches": list(version.batches),
        "rationale": version.rationale,
        "parent": version.parent,
    }
    if change.removed is not None:
        told["removed"] = list(change.removed)
    stores.journal.record([Event("version", told)])
    return version


def _added(stores: Stores, intent: IntentRow, document: Document) -> _Change:
    """Rows of batches that were admitted."""
    parts = cast("list[dict[str, Json]]", document["publish"])
    table = pa.concat_tables([_rows_of(stores, part) for part in parts])
    number = stores.datasets.publish(intent.dataset, table, _properties(intent))
    batches = tuple(str(part["batch"]) for part in parts)
    return _Change(number, batches, _newest_version(stores, intent.dataset))


def _restored(stores: Stores, intent: IntentRow, document: Document) -> _Change:
    """An earlier version's content."""
    parent = int(cast("int", document["version"]))
    number = stores.datasets.restore(intent.dataset, parent, _properties(intent))
    return _Change(number, (), parent)


def _excised(stores: Stores, intent: IntentRow, document: Document) -> _Change:
    """The newest version without some rows."""
    parts = cast("list[dict[str, Json]]", document["parts"])
    gone = {
        str(part["batch"]): None if part["whole"] else from_json(part["rows"]) for part in parts
    }
    number = stores.datasets.excise(intent.dataset, gone, _properties(intent))
    removed = tuple(str(part["batch"]) for part in parts if part["whole"])
    return _Change(number, (), _newest_version(stores, intent.dataset), removed)


def _properties(intent: IntentRow) -> dict[str, str]:
    return {ID: intent.digest, "credenza.kind": intent.kind}


def _rows_of(stores: Stores, part: Mapping[str, Json]) -> pa.Table:
    """The rows of one batch that go into the version, with their lineage."""
    with stores.journal.catalog.snapshot() as index:
        row = index.get(BatchRow, str(part["batch"]))
    if row is None:
        raise InternalError("lost-batch", f"the batch {str(part['batch'])[:16]} is unknown")
    table = stores.table(row)
    keep = np.ones(table.num_rows, dtype=bool)
    if part["only"] is not None:
        keep[:] = False
        keep[_positions(part["only"])] = True
    keep[_positions(part["without"])] = False
    positions = np.flatnonzero(keep)
    chosen = table if keep.all() else table.take(pa.array(positions))
    return with_lineage(chosen, batch=row.digest, source=row.source, rows=cast("Any", positions))


def _positions(value: Json) -> list[int]:
    return [int(cast("int", item)) for item in cast("list[Json]", value)]


def _newest_version(stores: Stores, dataset: str) -> int | None:
    with stores.journal.catalog.snapshot() as index:
        newest = index.newest(VersionRow, dataset=dataset)
    return None if newest is None else newest.number


_CHANGES: Mapping[str, Callable[[Stores, IntentRow, Document], _Change]] = {
    "rollback": _restored,
    "excision": _excised,
}
