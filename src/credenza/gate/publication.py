"""Recorded changes of a dataset become versions, each exactly once.

The ledger first holds the intent (a settlement, a decision, a rollback), then the dataset
commits a transaction that carries the intent's digest, then the ledger holds the version.
A crash between any two is finished by the next writer: the dataset finds the transaction
by its id instead of committing it again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from credenza.core.errors import InternalError
from credenza.core.types import Version
from credenza.datasets.checks import ID
from credenza.datasets.lineage import with_lineage
from credenza.gate.journal import Event
from credenza.store.rows import BatchRow, IntentRow, VersionRow

if TYPE_CHECKING:
    from collections.abc import Mapping

    from credenza.core.canonical import Json
    from credenza.gate.stores import Stores


def finish_pending(stores: Stores) -> list[Version]:
    """Publish every recorded intent that has no version yet, in order."""
    stores.journal.lock()
    with stores.journal.catalog.snapshot() as index:
        pending = index.find(IntentRow, done=0)
    return [_publish(stores, intent) for intent in sorted(pending, key=lambda row: row.index)]


def _publish(stores: Stores, intent: IntentRow) -> Version:
    document = stores.journal.document(intent.digest)
    properties = {ID: intent.digest, "credenza.kind": intent.kind}
    batches: tuple[str, ...] = ()
    parent = _newest_version(stores, intent.dataset)
    if intent.kind == "rollback":
        parent = int(cast("int", document["version"]))
        number = stores.datasets.restore(intent.dataset, parent, properties)
    else:
        parts = cast("list[dict[str, Json]]", document["publish"])
        batches = tuple(str(part["batch"]) for part in parts)
        table = pa.concat_tables([_rows_of(stores, part) for part in parts])
        number = stores.datasets.publish(intent.dataset, table, properties)
    version = Version(
        dataset=intent.dataset,
        number=number,
        rows=stores.datasets.count(intent.dataset, number),
        batches=batches,
        rationale=str(document["rationale"]),
        parent=parent,
    )
    stores.journal.record(
        [
            Event(
                "version",
                {
                    "intent": intent.digest,
                    "dataset": version.dataset,
                    "number": version.number,
                    "rows": version.rows,
                    "batches": list(version.batches),
                    "rationale": version.rationale,
                    "parent": version.parent,
                },
            )
        ]
    )
    return version


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
