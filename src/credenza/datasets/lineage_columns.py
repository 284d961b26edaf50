"""The three columns that say where a row of a dataset came from.

``_batch`` is the digest of the signed batch, ``_row`` the position in it, ``_source`` the
sender. They are written once and travel through restores, checkouts and releases.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

BATCH, ROW, SOURCE = "_batch", "_row", "_source"
LINEAGE = pa.schema(
    [pa.field(BATCH, pa.string()), pa.field(ROW, pa.int64()), pa.field(SOURCE, pa.string())]
)


def with_lineage(
    table: pa.Table, *, batch: str, source: str, rows: Sequence[int] | None = None
) -> pa.Table:
    """``table`` with its three lineage columns at the end.

    Args:
        table: rows of one batch.
        batch: its digest.
        source: its sender.
        rows: ``(n,)`` their positions in the batch; all of it, in order, by default.

    Raises:
        UsageError: a column of the batch has the name of a lineage column (it could
            otherwise speak for another sender), or ``rows`` has another length.
    """
    taken = sorted(set(LINEAGE.names) & set(table.column_names))
    if taken:
        raise UsageError(
            "reserved-column",
            f"a batch brings a column called {taken[0]!r}",
            why=f"{', '.join(LINEAGE.names)} say where a row came from, which only the gate knows",
            fix="rename the column",
        )
    positions = pa.array(range(table.num_rows) if rows is None else rows, pa.int64())
    if len(positions) != table.num_rows:
        raise UsageError(
            "bad-positions",
            f"{len(positions)} positions were given for {table.num_rows} rows",
            why="each row has one place in its batch",
            fix="give as many positions as rows",
        )
    for field, column in zip(
        LINEAGE,
        (_repeated(batch, table.num_rows), positions, _repeated(source, table.num_rows)),
        strict=True,
    ):
        table = table.append_column(field, column)
    return table


def _repeated(text: str, times: int) -> pa.Array:
    return pa.repeat(pa.scalar(text, pa.string()), times)
