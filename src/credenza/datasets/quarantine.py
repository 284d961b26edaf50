"""What was kept out: outside the dataset, in the content store, whole and readable.

Nothing here is ever deleted; a person who admits a held row finds the very row that the
gate saw, with its batch, position and source. Blind to who may read it: the content store
is as private as the workspace.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from credenza.core.canonical import Json, canonical_json, sha256_hex, strict_json
from credenza.core.errors import UntrustedError, UsageError
from credenza.datasets.lineage import BATCH, ROW, SOURCE, with_lineage

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

SCHEMA = "credenza-quarantine/1"
_FIELDS = frozenset({"schema", "batch", "source", "rows", "content"})


@dataclass(frozen=True, slots=True)
class Kept:
    """A record of rows kept out.

    Attributes:
        digest: of the record itself; what a ledger entry names.
        batch: digest of the batch they came in.
        rows: how many; their positions are the ``_row`` column of the content.
        content: digest of the Arrow IPC stream that holds them.
    """

    digest: str
    batch: str
    source: str
    rows: int
    content: str


def keep_out(
    table: pa.Table,
    *,
    batch: str,
    source: str,
    rows: Sequence[int] | None,
    put: Callable[[bytes], str],
) -> Kept:
    """Store rows of a batch, and a record of them.

    Args:
        table: the whole batch.
        batch: its digest.
        source: its sender.
        rows: positions to keep out; None keeps all of it out.
        put: stores bytes and returns their SHA-256 in hex.

    Raises:
        UsageError: a position lies outside the batch, or comes twice.
    """
    positions = range(table.num_rows) if rows is None else sorted(set(rows))
    if rows is not None and (
        len(positions) != len(rows) or any(not 0 <= row < table.num_rows for row in positions)
    ):
        raise UsageError(
            "bad-positions",
            "rows to keep out are not distinct positions in their batch",
            why=f"{len(rows)} positions in {table.num_rows} rows",
        )
    chosen = table if rows is None else table.take(pa.array(positions, pa.int64()))
    content = put(_encoded(with_lineage(chosen, batch=batch, source=source, rows=positions)))
    record: Json = {
        "schema": SCHEMA,
        "batch": batch,
        "source": source,
        "rows": len(positions),
        "content": content,
    }
    return Kept(put(canonical_json(record)), batch, source, len(positions), content)


def read_kept(digest: str, get: Callable[[str], bytes]) -> tuple[Kept, pa.Table]:
    """The record with that digest, and its rows with their lineage columns.

    Args:
        digest: of the record.
        get: bytes by their SHA-256 in hex; what it returns is checked here again.

    Raises:
        UntrustedError: record and rows are not what was stored, or contradict each other.
    """
    record = strict_json(_checked(digest, get))
    if not isinstance(record, dict) or record.keys() != _FIELDS or record["schema"] != SCHEMA:
        raise _bad("it is not a quarantine record of this version")
    batch, source = record["batch"], record["source"]
    rows, content = record["rows"], record["content"]
    if (
        not isinstance(batch, str)
        or not isinstance(source, str)
        or not isinstance(content, str)
        or not isinstance(rows, int)
    ):
        raise _bad("a field has the wrong type")
    try:
        table = pa.ipc.open_stream(_checked(content, get)).read_all()
        table.validate(full=True)
    except (pa.ArrowInvalid, OSError) as wrong:
        raise _bad("its rows are not an Arrow stream") from wrong
    if table.num_rows != rows:
        raise _bad(f"it says {rows} rows and holds {table.num_rows}")
    for name, said in ((BATCH, batch), (SOURCE, source)):
        if table.schema.get_field_index(name) < 0 or set(table[name].to_pylist()) - {said}:
            raise _bad(f"a row's {name} is not {said[:16]!a}")
    if table.schema.get_field_index(ROW) < 0:
        raise _bad(f"its rows have no {ROW}")
    return Kept(digest, batch, source, rows, content), table


def _encoded(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _checked(digest: str, get: Callable[[str], bytes]) -> bytes:
    data = get(digest)
    if sha256_hex(data) != digest:
        raise _bad(f"the content store gave other bytes than {digest[:16]}…")
    return data


def _bad(why: str) -> UntrustedError:
    return UntrustedError(
        "bad-quarantine-record",
        "quarantined rows are not as they were stored",
        why=why,
        fix="run `credenza log audit`; the batch itself is still in the content store",
    )
