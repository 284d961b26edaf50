"""CSV under limits."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv

from credenza.provenance.intake.limits import (
    check_columns,
    check_schema,
    parsing,
    refused,
    within,
)

if TYPE_CHECKING:
    from pathlib import Path

    from credenza.core.types import Limits

_HEADER_BYTES = 2**20
_BLOCK_BYTES = 16 * 2**20


class CsvIntake:
    """Reads CSV: UTF-8, commas, a header line, quotes doubled within quotes.

    An empty cell without quotes is null in every column, ``""`` is the empty text, and
    nothing else is null: "NA" is a country and a carrier somewhere. Types are inferred
    from the whole file. Blind to a text that looks like a number (a postal code loses
    its leading zero): send Parquet where that matters.
    """

    suffixes = (".csv",)

    def read(self, path: Path, limits: Limits) -> pa.Table:
        """Parse, or refuse.

        Raises:
            UntrustedError: ``not-csv``, ``too-many-columns``, ``too-many-rows``,
                ``duplicate-column``, ``decoded-too-large``, ``parser-limit`` or
                ``unreadable-file``.
        """
        _check_header(path, limits)
        with parsing("CSV"), pa.OSFile(str(path)) as file:
            table = pyarrow.csv.read_csv(
                file,
                read_options=pyarrow.csv.ReadOptions(use_threads=False, block_size=_BLOCK_BYTES),
                parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True),
                convert_options=pyarrow.csv.ConvertOptions(
                    null_values=[""], strings_can_be_null=True, quoted_strings_can_be_null=False
                ),
            )
            check_schema(table.schema, limits)
            if pa.binary() in table.schema.types:
                raise _not_csv("it is not UTF-8 text")
            return within(table.to_batches(), table.schema, limits)


def _check_header(path: Path, limits: Limits) -> None:
    """Count the columns in the first line, before anything is allocated for them."""
    with parsing("CSV"), path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    # What is not UTF-8 is found by the reader; here only commas and quotes count.
    text = head.decode("utf-8-sig", errors="replace")
    if "\x00" in text:
        raise _not_csv("it contains zero bytes")
    try:
        names = next(csv.reader(text.splitlines(keepends=True), strict=True), [])
    except csv.Error as wrong:
        raise _not_csv(f"its header cannot be read: {wrong}") from wrong
    if not names:
        raise _not_csv("it has no header line")
    check_columns(len(names), limits)


def _not_csv(why: str) -> Exception:
    return refused(
        "not-csv",
        "a file called CSV is not CSV",
        why=why,
        fix="write it as UTF-8 CSV, or give it the ending of what it is",
    )
