"""What rows *are*, whatever file they came in: digests of rows, tables and schemas.

Every row becomes one byte string that can be read back without doubt (typed by its
schema, length-prefixed, columns by name; see ``row_encoding``), and its digest is the leaf
of an RFC 6962 tree. So a table keeps its root when it is written again as another format,
with other chunks, row groups, dictionaries or widths of integer; one changed cell changes
it; and a proof of ``log2(n)`` hashes shows that a row was in a batch.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UntrustedError
from credenza.core.row_encoding import Bytes, encoded_rows, schema_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

_LEAF = b"\x00"
_NODE = b"\x01"
_CHUNK_ROWS = 65_536
_CHUNK_BYTES = 64 * 2**20


def row_digests(table: pa.Table) -> Bytes:
    """The RFC 6962 leaf hash of every row, in order.

    Args:
        table: n rows of any columns but unions and intervals.

    Returns:
        ``(n, 32)`` SHA-256 digests, one row of bytes each.

    Raises:
        UntrustedError: two columns share a name, or a type has no row encoding.

    Complexity:
        O(bytes); about 1 µs per row and core on top of the columns' copies.
    """
    prefix = np.frombuffer(_LEAF + schema_bytes(table.schema), np.uint8)
    sha256 = hashlib.sha256
    digests = [
        sha256(row).digest() for chunk in _chunks(table) for row in encoded_rows(chunk, prefix)
    ]
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, 32)


def row_root(table: pa.Table) -> str:
    """The identity of a table's rows in their order, as 64 hex digits.

    Raises:
        UntrustedError: two columns share a name, or a type has no row encoding.

    Source:
        RFC 6962 §2.1; the empty table has SHA-256 of nothing, as there.
    """
    return merkle_root(row_digests(table))


def schema_digest(schema: pa.Schema) -> str:
    """The identity of the logical schema: names and classes of types, in no order.

    Blind to widths, units, nullability, dictionary encoding and metadata, which do not
    change what a row says.

    Raises:
        UntrustedError: two columns share a name, or a type has no row encoding.
    """
    return schema_bytes(schema).hex()


def merkle_root(leaves: Bytes) -> str:
    """RFC 6962 tree hash over leaf hashes, as 64 hex digits.

    Args:
        leaves: ``(n, 32)`` leaf hashes; n = 0 is allowed.
    """
    if not len(leaves):
        return hashlib.sha256().hexdigest()
    sha256 = hashlib.sha256
    level = np.ascontiguousarray(leaves, np.uint8)
    while len(level) > 1:
        pairs = level[: len(level) // 2 * 2].reshape(-1, 64).tobytes()
        nodes = b"".join(
            sha256(_NODE + pairs[at : at + 64]).digest() for at in range(0, len(pairs), 64)
        )
        above = np.frombuffer(nodes, np.uint8).reshape(-1, 32)
        # An odd last node rises unhashed: that is RFC 6962's split at a power of two.
        level = np.vstack([above, level[-1:]]) if len(level) % 2 else above
    return bytes(level[0]).hex()


def differing_cells(before: pa.Table, after: pa.Table) -> tuple[tuple[int, str], ...]:
    """Row number and column of every cell that changed between two tables.

    Works on the row digests first, so that only changed rows are looked at closely.
    Blind to moved rows: one inserted row makes all later rows differ.

    Raises:
        UntrustedError: the tables differ in length or schema, so cells cannot be paired.
    """
    if len(before) != len(after) or schema_bytes(before.schema) != schema_bytes(after.schema):
        raise UntrustedError(
            "tables-differ",
            "the cells of two tables cannot be compared one by one",
            why=f"{len(before)} and {len(after)} rows, or other columns",
            fix="compare the very rows: as many, with the same columns",
        )
    rows = np.flatnonzero((row_digests(before) != row_digests(after)).any(axis=1))
    left, right = before.take(rows), after.take(rows)
    return tuple(
        sorted(
            (int(rows[at]), name)
            for name in before.column_names
            for at in np.flatnonzero(
                (row_digests(left.select([name])) != row_digests(right.select([name]))).any(axis=1)
            )
        )
    )


def _chunks(table: pa.Table) -> Iterator[pa.Table]:
    """Pieces small enough that their encoding stays in memory."""
    n = len(table)
    width = max(1, table.nbytes // max(n, 1))
    step = max(1, min(_CHUNK_ROWS, _CHUNK_BYTES // width))
    for at in range(0, n, step):
        yield table.slice(at, step)
