"""Choosing and changing rows: what every attack on a table does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.errors import UsageError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Ints


@dataclass(frozen=True, slots=True)
class Region:
    """Rows with ``at_least <= column < below``."""

    column: str
    at_least: float = -np.inf
    below: float = np.inf

    def mask(self, table: pa.Table) -> Bools:
        """``(n,)`` True inside; a missing value lies outside."""
        value = numbers(table, self.column)
        return np.asarray((value >= self.at_least) & (value < self.below), dtype=np.bool_)


def check_share(share: float) -> None:
    """Refuse a budget outside [0, 1].

    Raises:
        UsageError: with the share.
    """
    if not 0 <= share <= 1:
        raise UsageError(
            "bad-parameter",
            f"the share of poisoned rows is {share}",
            why="it is a share of the rows",
            fix="give a share of the batch's rows between 0 and 1",
        )


def budget(share: float, rows: int, rng: np.random.Generator) -> int:
    """Whole rows for a share, rounded at random so that small batches keep the mean."""
    return int(np.floor(share * rows + rng.random()))


def draw(candidates: Bools, rows: int, rng: np.random.Generator) -> Ints:
    """Positions of at most ``rows`` of the candidates, sorted."""
    places = np.flatnonzero(candidates)
    chosen = rng.choice(places, min(rows, len(places)), replace=False)
    return np.asarray(np.sort(chosen), dtype=np.int64)


def labelled(table: pa.Table, label: str, value: str) -> Bools:
    """``(n,)`` True where the label reads ``value``; a missing label does not."""
    same = pc.equal(pc.cast(column_of(table, label), pa.string()), value)
    return np.asarray(same.fill_null(fill_value=False).to_numpy(), dtype=np.bool_)


def numbers(table: pa.Table, column: str) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """A column as float64, missing as NaN."""
    found = pc.cast(column_of(table, column), pa.float64())
    return np.asarray(found.to_numpy(zero_copy_only=False), dtype=np.float64)


def overwrite(table: pa.Table, rows: Bools, column: str, values: object) -> pa.Table:
    """``table`` with ``values`` (one, or one per marked row) in the marked rows.

    The column keeps its type, so that the schema does not give the attack away.
    """
    old = column_of(table, column).combine_chunks()
    many = isinstance(values, np.ndarray)
    new = pa.array(values if many else [values] * int(rows.sum())).cast(old.type, safe=False)
    place = table.schema.get_field_index(column)
    changed = pc.replace_with_mask(old, pa.array(rows), new)
    return table.set_column(place, table.schema.field(place), changed)


def column_of(table: pa.Table, column: str) -> pa.ChunkedArray:
    """A column by name.

    Raises:
        UsageError: the table has none of that name.
    """
    if column not in table.column_names:
        raise UsageError(
            "no-such-column",
            f"the rows have no column {column!r}",
            why=f"they have: {', '.join(table.column_names)}",
            fix="name one of these in the attack's parameters",
        )
    return table.column(column)
