"""Rows to Parquet files with plain names: what a checkout and a release are made of."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from credenza.core.errors import ConflictError
from credenza.core.types import FileDigest
from credenza.store.disk import explained, sync

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROWS_PER_FILE = 1_000_000
_CHUNK_BYTES = 2**20


class Part(NamedTuple):
    """One file of an export, and how many rows it holds."""

    file: FileDigest
    rows: int


@contextmanager
def whole_or_absent(directory: Path) -> Iterator[Path]:
    """A hidden directory to fill, which takes its name in one step when the block ends.

    Whoever looks sees the whole export or nothing; a crash leaves a hidden directory
    that nothing reads.

    Raises:
        ConflictError: something already has that name, or the disk is full.
    """
    if os.path.lexists(directory):
        raise _taken(directory)
    directory.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    try:
        yield draft
        draft.chmod(0o755)
        sync([*draft.iterdir(), draft])
        try:
            draft.rename(directory)
        except FileExistsError as wrong:
            raise _taken(directory) from wrong
        sync([directory.parent])
    except OSError as wrong:
        raise explained(wrong, f"{directory.name!r} was not written") from wrong
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_parts(
    batches: Iterable[pa.RecordBatch], directory: Path, *, rows_per_file: int = ROWS_PER_FILE
) -> tuple[Part, ...]:
    """Write rows as ``part-00000.parquet``, ``part-00001.parquet``, …, in their order.

    A file is closed at the first batch that brings it to ``rows_per_file``, so memory
    stays at one batch. No rows make no file.

    Returns:
        Name, SHA-256, size and rows of each file.
    """
    parts: list[Part] = []
    writer: pq.ParquetWriter | None = None
    rows = 0
    path = directory
    for batch in batches:
        if batch.num_rows == 0:
            continue
        if writer is None:
            path = directory / f"part-{len(parts):05d}.parquet"
            writer = pq.ParquetWriter(path, batch.schema, compression="zstd")
        writer.write_batch(batch)
        rows += batch.num_rows
        if rows >= rows_per_file:
            writer.close()
            parts.append(Part(_measured(path), rows))
            writer, rows = None, 0
    if writer is not None:
        writer.close()
        parts.append(Part(_measured(path), rows))
    return tuple(parts)


def _measured(path: Path) -> FileDigest:
    """Name, digest and size of a file as it can be read again."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
            size += len(chunk)
    return FileDigest(path.name, digest.hexdigest(), size)


def _taken(directory: Path) -> ConflictError:
    return ConflictError(
        "name-taken",
        f"{directory.name!r} already exists",
        why="an export is written whole under a new name and never into something else",
        fix="give a name that does not exist yet",
    )
