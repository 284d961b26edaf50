"""Parquet under limits: the footer's word is never taken for a size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.parquet as pq

from credenza.provenance.intake.limits import (
    check_columns,
    check_rows,
    check_schema,
    parsing,
    refused,
    within,
)

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Limits

_MAGIC = b"PAR1"
# A footer is thrift: its strings and lists are bounded before they are allocated.
_FOOTER_BYTES = 64 * 2**20
_THRIFT_ITEMS = 1_000_000
_BATCH_ROWS = 8_192


class ParquetIntake:
    """Reads Parquet without trusting its footer.

    Row groups are streamed in small batches against a running budget of rows and
    decoded bytes, page checksums are verified where the writer left them, extension
    types stay plain storage. Blind to a single page that decompresses to more than the
    memory limit: that one is the sandbox's.
    """

    suffixes = (".parquet", ".pq")

    def read(self, path: Path, limits: Limits) -> pa.Table:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``not-parquet``, ``truncated``, ``too-many-columns``,
                ``too-many-rows``, ``too-deep``, ``duplicate-column``,
                ``decoded-too-large``, ``parser-limit`` or ``unreadable-file``.
        """
        _check_frame(path)
        with parsing("Parquet"), pa.OSFile(str(path)) as file:
            parquet = pq.ParquetFile(
                file,
                pre_buffer=False,
                thrift_string_size_limit=_FOOTER_BYTES,
                thrift_container_size_limit=_THRIFT_ITEMS,
                page_checksum_verification=True,
                arrow_extensions_enabled=False,
            )
            check_columns(parquet.metadata.num_columns, limits)
            check_rows(parquet.metadata.num_rows, limits)
            schema = parquet.schema_arrow
            check_schema(schema, limits)
            batches = parquet.iter_batches(batch_size=_BATCH_ROWS, use_threads=False)
            table = within(batches, schema, limits)
            if len(table) != parquet.metadata.num_rows:
                raise refused(
                    "unreadable-file",
                    "a Parquet file contradicts itself",
                    why=f"{parquet.metadata.num_rows} rows promised, {len(table)} found",
                    fix="write the file again",
                )
            return table


def _check_frame(path: Path) -> None:
    """The file begins and ends as Parquet does, and its footer is of a sane size."""
    with parsing("Parquet"), path.open("rb") as file:
        head = file.read(4)
        size = file.seek(0, 2)
        file.seek(max(0, size - 8))
        tail = file.read(8)
    if head != _MAGIC:
        raise refused(
            "not-parquet",
            "a file called Parquet is not Parquet",
            why=f"it begins with {head!r} in place of {_MAGIC!r}",
            fix="write it as Parquet, or give it the ending of what it is",
        )
    if size < 12 or tail[4:] != _MAGIC:
        raise refused(
            "truncated",
            "a Parquet file stops before its end",
            why=f"it ends with {tail[4:]!r} in place of {_MAGIC!r}",
            fix="send the whole file again",
        )
    footer = int.from_bytes(tail[:4], "little")
    if footer > min(size - 12, _FOOTER_BYTES):
        raise refused(
            "truncated",
            "a Parquet file stops before its end",
            why=f"its footer claims {footer} bytes of a file of {size}",
            fix="send the whole file again",
        )
