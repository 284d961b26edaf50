"""Rows that are known to be good: marked by a column, or in a file of their own."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError
from credenza.core.text import quote, tick
from credenza.scanning.inputs import read

if TYPE_CHECKING:
    from credenza.core.types import Bools
    from credenza.scanning.reading import Reading


@dataclass(frozen=True, slots=True, eq=False)
class Trusting:
    """The rows under test with the trusted ones.

    Attributes:
        reading: rows as given, then those of a trusted file.
        given: how many rows were given; only these are judged.
        trusted: ``(n,)`` which rows are trusted.
        column: the column that marked them; "" when none did.
    """

    reading: Reading
    given: int
    trusted: Bools
    column: str = ""


def with_trusted(reading: Reading, trusted: object) -> Trusting:
    """Join what is trusted to what is under test.

    Args:
        reading: rows under test.
        trusted: None; a column of booleans; a mask; or anything ``read`` takes.

    Raises:
        UsageError: ``unfit-trusted``, ``other-columns`` or ``all-trusted``.
    """
    table = reading.table
    n = table.num_rows
    if trusted is None or (isinstance(trusted, str) and trusted == ""):
        return Trusting(reading, n, np.zeros(n, dtype=bool))
    if isinstance(trusted, str) and trusted in table.column_names:
        mask = _mask(trusted, table.column(trusted))
        return _some(Trusting(reading, n, mask, trusted))
    if isinstance(trusted, np.ndarray) and trusted.dtype == bool:
        if trusted.shape != (n,):
            raise UsageError(
                "bad-length",
                "the mask of trusted rows does not fit",
                why=f"its shape is {trusted.shape}, for {n} rows",
                fix="give one truth value a row",
            )
        return _some(Trusting(reading, n, trusted.copy()))
    return _joined(reading, read(trusted))


def _some(found: Trusting) -> Trusting:
    if found.trusted.all():
        raise UsageError(
            "all-trusted",
            "every row is trusted, so there is nothing to scan",
            why="trusted rows are the yardstick, and are not judged",
            fix="name a column that is true for the trusted rows only",
        )
    return found


def _mask(name: str, column: Any) -> Bools:  # noqa: ANN401 - pyarrow is untyped
    values = pc.unique(column).to_pylist()
    if not set(values) <= {True, False, None}:
        shown = ", ".join(quote(value) for value in values[:5])
        raise UsageError(
            "unfit-trusted",
            f"the column {tick(name)} does not say which rows are trusted",
            why=f"its values are {shown}",
            fix="name a column of true and false, or a file of trusted rows",
        )
    return np.asarray(pc.fill_null(column.cast(pa.bool_()), False), dtype=bool)  # noqa: FBT003 - arrow's own signature


def _joined(reading: Reading, other: Reading) -> Trusting:
    table, known = reading.table, other.table
    lacking = [name for name in table.column_names if name not in known.column_names]
    extra = [name for name in known.column_names if name not in table.column_names]
    if lacking:
        raise UsageError(
            "other-columns",
            "the trusted rows have other columns than the rows under test",
            why=f"they lack {', '.join(quote(name) for name in lacking[:10])}",
            fix="give trusted rows with the same columns",
        )
    notices = [*reading.notices, *(f"trusted rows: {said}" for said in other.notices)]
    if extra:
        names = ", ".join(tick(name) for name in extra[:10])
        notices.append(f"only trusted rows have {names}; not assessed")
    try:
        whole = pa.concat_tables(
            [table, known.select(table.column_names)], promote_options="permissive"
        )
    except pa.ArrowException as wrong:
        raise UsageError(
            "other-columns",
            "the trusted rows have other types than the rows under test",
            why=quote(str(wrong), limit=200),
            fix="give both the same types",
        ) from wrong
    mask = np.arange(whole.num_rows) >= table.num_rows
    joined = replace(reading, table=whole, notices=tuple(notices))
    return Trusting(joined, table.num_rows, mask)
