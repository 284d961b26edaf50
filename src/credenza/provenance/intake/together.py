"""The files of one batch as one table, under limits for the whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from credenza.core.errors import UntrustedError
from credenza.provenance.intake.builtin import INTAKES, intake_for
from credenza.provenance.intake.limits import check_decoded, check_rows, refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from credenza.core.types import Limits

# Files by the name they were submitted under, or paths whose last segment is that name.
Files: TypeAlias = Mapping[str, Path] | Sequence[Path]
Reader: TypeAlias = "Callable[[Files, Limits], pa.Table]"


def by_name(files: Files) -> dict[str, Path]:
    """The files by the names they were submitted under."""
    if isinstance(files, Mapping):
        return dict(files)
    return {path.name: path for path in files}


def read_own(files: Files, limits: Limits) -> pa.Table:
    """The rows of files that this process wrote itself, parsed in this process.

    Never for files of others: limits are checked, and nothing contains the parser.

    Raises:
        UntrustedError: a file is refused; the reason begins with its name.
    """
    named, at = by_name(files), [0]
    intakes = [intake_for(name) for name in named]
    try:
        return read_all(intakes, list(named.values()), limits, at)
    except UntrustedError as refusal:
        why = f"{list(named)[at[0]]}: {refusal.why}"
        raise refused(refusal.code, refusal.what, why=why, fix=refusal.fix) from refusal


def read_all(
    intakes: Sequence[str], paths: Sequence[Path], limits: Limits, at: list[int]
) -> pa.Table:
    """Parse files one after another into one table.

    Args:
        intakes: the intake's name for each path.
        paths: in the order of the rows.
        limits: rows and decoded bytes bound the whole.
        at: one number, which is the index of the file being read, for refusals.

    Raises:
        UntrustedError: what the intakes refuse, or ``schema-mismatch``.
    """
    tables: list[pa.Table] = []
    for at[0], (name, path) in enumerate(zip(intakes, paths, strict=True)):
        table = INTAKES.make(name).read(path, limits)
        if tables and set(table.column_names) != set(tables[0].column_names):
            raise _schema_mismatch("it has other columns than the first file")
        tables.append(table.select(tables[0].column_names) if tables else table)
        check_rows(sum(len(table) for table in tables), limits)
        check_decoded(sum(table.nbytes for table in tables), limits)
    try:
        # Promotion is for a column that is all null in one file, which has no type there.
        return pa.concat_tables(tables, promote_options="default")
    except pa.ArrowException as wrong:
        raise _schema_mismatch(str(wrong)) from wrong


def _schema_mismatch(why: str) -> UntrustedError:
    return refused(
        "schema-mismatch",
        "the files of a batch do not fit together",
        why=why,
        fix="give all files the same columns and types, or submit them as several batches",
    )
