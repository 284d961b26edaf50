"""The dataset built a second time, from what the senders signed, and compared row by row.

The batches lie in the content store as they were received. Laid end to end in the order in
which the ledger admitted them, less what it excised, they are the dataset that would have
been built without the excised rows. If the leaf hash of every row agrees with the row that
the dataset holds, in number and order, then nothing else is in there. Blind to poison that
nobody suspects: it is in both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from credenza.core.errors import InternalError
from credenza.core.rows import merkle_root, row_digests
from credenza.core.spans import positions
from credenza.datasets.lineage_columns import with_lineage
from credenza.gate.holdings import segments
from credenza.store.rows import BatchRow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.row_encoding import Bytes
    from credenza.gate.stores import Stores


class Rebuilt(NamedTuple):
    """What a rebuilt version is.

    Attributes:
        root: RFC 6962 root over its rows with their lineage, in their order.
    """

    version: int
    rows: int
    batches: int
    root: str


def rebuild(stores: Stores, dataset: str, version: int) -> Rebuilt:
    """Build a version again from the content store and compare it with the dataset's.

    Raises:
        InternalError: a row differs, is missing, or is there and should not be.

    Complexity:
        Two hashes for each row; memory for 32 bytes of each, and one batch at a time.
    """
    held = segments(stores, dataset, version)
    wanted = _joined(_rebuilt(stores, held))
    found = _joined(
        row_digests(pa.Table.from_batches([rows]))
        for rows in stores.datasets.read(dataset, version)
    )
    if wanted.shape != found.shape or not np.array_equal(wanted, found):
        both = min(len(wanted), len(found))
        differing = np.flatnonzero((wanted[:both] != found[:both]).any(axis=1))
        first = int(differing[0]) if len(differing) else both
        raise InternalError(
            "not-rebuilt",
            f"version {version} of {dataset!r} is not what the ledger says it is",
            why=f"it holds {len(found)} rows and should hold {len(wanted)}; row {first} is the "
            "first that differs",
            fix="do not release it; roll back to an earlier version and run `credenza log audit`",
        )
    return Rebuilt(version, len(found), len({batch for batch, _ in held}), merkle_root(found))


def _rebuilt(
    stores: Stores, held: list[tuple[str, tuple[tuple[int, int], ...]]]
) -> Iterator[Bytes]:
    for batch, spans in held:
        with stores.journal.catalog.snapshot() as index:
            row = index.get(BatchRow, batch)
        if row is None:
            raise InternalError("lost-batch", f"the batch {batch[:16]} is unknown")
        at = positions(spans)
        rows = stores.table(row).take(pa.array(at))
        yield row_digests(with_lineage(rows, batch=batch, source=row.source, rows=at.tolist()))


def _joined(parts: Iterator[Bytes]) -> Bytes:
    return np.concatenate([np.empty((0, 32), np.uint8), *parts])
