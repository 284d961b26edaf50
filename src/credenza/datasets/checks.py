"""What must hold of a publication before and after it becomes a version."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
from lance.file import LanceFileReader

from credenza.core.errors import InternalError, UsageError
from credenza.datasets.lineage_columns import BATCH, LINEAGE, ROW

if TYPE_CHECKING:
    from collections.abc import Mapping

ID = "credenza.id"
Dataset: TypeAlias = Any  # Lance ships no types


def check_lineage(table: pa.Table) -> None:
    """Refuse rows that do not say from which batch and source they came.

    Raises:
        UsageError: a lineage column is missing, of another type or has nulls.
    """
    for field in LINEAGE:
        at = table.schema.get_field_index(field.name)
        if at < 0 or table.schema.field(at).type != field.type or table[field.name].null_count:
            raise UsageError(
                "no-lineage",
                f"rows come without a whole {field.name!r} column of type {field.type}",
                why="every row of a dataset says from which batch and source it came",
                fix="add the columns with credenza.datasets.lineage.with_lineage",
            )


def conformed(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """The same columns in the dataset's order; Lance would fill a missing one with nulls."""
    here = {field.name: field.type for field in table.schema}
    there = {field.name: field.type for field in schema}
    changes = [
        *(f"{name!r} is new" for name in here if name not in there),
        *(f"{name!r} is missing" for name in there if name not in here),
        *(
            f"{name!r} is {here[name]} and was {kind}"
            for name, kind in there.items()
            if name in here and here[name] != kind
        ),
    ]
    if changes or len(here) != table.num_columns:
        raise UsageError(
            "schema-changed",
            "rows have another schema than their dataset",
            why="; ".join(changes) or "a column comes twice",
            fix="publish them to a new dataset, or bring them into the dataset's schema",
        )
    return table.select(schema.names)


def check_staged(uri: str, staged: Any, table: pa.Table) -> None:  # noqa: ANN401 - Lance ships no types
    """Every column must decode; number, batch and position of the rows must be as given.

    Whole values are not compared: NaN differs from itself, and Lance checks its pages.
    """
    try:
        parts = [LanceFileReader(str(path)).read_all() for path in data_files(uri, staged)]
        back = pa.concat_tables([table.slice(0, 0), *(part.to_table() for part in parts)])
    except (OSError, ValueError) as wrong:
        raise unreadable(str(wrong)) from wrong
    if any(not back[name].equals(table[name]) for name in (BATCH, ROW)):
        raise unreadable("the rows read back are not the rows written")


def data_files(uri: str, staged: Any) -> list[Path]:  # noqa: ANN401 - Lance ships no types
    """Files that staged rows lie in."""
    fragments = staged.operation.fragments
    return [Path(uri, "data", file.path) for fragment in fragments for file in fragment.files]


def check_readable(opened: Dataset, name: str) -> None:
    """The version is this publication's, and its last row, which is the newest, reads."""
    if properties_of(opened, opened.version).get(ID) != name:
        raise unreadable(f"version {opened.version} was not made by publication {name!r}")
    last = opened.count_rows() - 1
    try:
        if last >= 0:
            opened.take([last], columns=LINEAGE.names)
    except (OSError, ValueError) as wrong:
        raise unreadable(str(wrong)) from wrong


def check_count(opened: Dataset, before: Dataset | None, rows: int) -> None:
    """Rows after a commit; more publishers than one would show here."""
    expected = rows + (0 if before is None else before.count_rows())
    if opened.count_rows() != expected:
        raise unreadable(f"version {opened.version} has {opened.count_rows()} rows, not {expected}")


def properties_of(opened: Dataset, number: int) -> Mapping[str, str]:
    """What the publisher of a version put into its transaction."""
    change = opened.read_transaction(number)
    return {} if change is None else dict(change.transaction_properties or {})


def unreadable(why: str) -> InternalError:
    """A version that was made and does not read."""
    return InternalError(
        "unreadable-version",
        "a publication cannot be read back",
        why=why,
        fix="restore an earlier version; the batches are still in the content store",
    )
