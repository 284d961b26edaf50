"""Who touched which item, when, and how it was rated, as codes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from credenza.core.text import quote
from credenza.core.types import Role
from credenza.screening.features.table import by_value, columns_of, numbers

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View

FEW_LEVELS = 12
RANGES = 10


@dataclass(frozen=True, slots=True, eq=False)
class Interactions:
    """Rows with a user and an item; codes do not depend on the order of the rows.

    Attributes:
        rows: ``(t,)`` positions in the view.
        user: ``(t,)`` user codes.
        item: ``(t,)`` item codes.
        users: names of the users by code.
        items: names of the items by code.
        rating: ``(t,)`` ratings, NaN where missing, or None without a rating column.
        level: ``(t,)`` code of the rating's value or range, -1 where missing.
        levels: the levels in words.
        time_s: ``(t,)`` seconds, or None without a time column or with missing times.
    """

    rows: Ints
    user: Ints
    item: Ints
    users: tuple[str, ...]
    items: tuple[str, ...]
    rating: Floats | None
    level: Ints
    levels: tuple[str, ...]
    time_s: Floats | None

    def per_user(self, weights: Floats | None = None) -> Floats:
        """``(users,)`` number of interactions, or the sum of ``weights`` over them."""
        return np.bincount(self.user, weights, len(self.users)).astype(np.float64)

    def per_item(self, weights: Floats | None = None) -> Floats:
        """``(items,)`` number of interactions, or the sum of ``weights`` over them."""
        return np.bincount(self.item, weights, len(self.items)).astype(np.float64)


def interactions_of(view: View) -> Interactions:
    """The view's interactions; rows without a user or an item are left out.

    Of several columns with one role the first is read.
    """
    user, users = _codes(view, Role.USER)
    item, items = _codes(view, Role.ITEM)
    rows = np.flatnonzero((user >= 0) & (item >= 0))
    rating = None
    level = np.full(len(rows), -1, dtype=np.int64)
    levels: tuple[str, ...] = ()
    for column in columns_of(view, Role.RATING)[:1]:
        rating = numbers(view, column)[rows]
        level, levels = _levels(rating)
    time_s: Floats | None = None
    for column in columns_of(view, Role.TIME)[:1]:
        time_s = _seconds(view.table.column(column))[rows]
        time_s = None if np.isnan(time_s).any() else time_s
    return Interactions(rows, user[rows], item[rows], users, items, rating, level, levels, time_s)


def _codes(view: View, role: Role) -> tuple[Ints, tuple[str, ...]]:
    for column in columns_of(view, role):
        coded = by_value(view, column)
        names = np.array([str(value) for value in coded.levels.to_pylist()], dtype=object)
        order = np.argsort(names.astype(str), kind="stable")
        place = np.full(coded.size, -1, dtype=np.int64)
        place[order] = np.arange(len(order))
        return place[coded.codes], tuple(names[order].tolist())
    return np.full(view.table.num_rows, -1, dtype=np.int64), ()


def _levels(rating: Floats) -> tuple[Ints, tuple[str, ...]]:
    """Each value is a level when there are few, each tenth of the ratings otherwise."""
    known = rating[~np.isnan(rating)]
    values = np.unique(known)
    if len(values) <= FEW_LEVELS:
        level = np.searchsorted(values, rating)
        words = tuple(f"rated {quote(float(value))}" for value in values)
    else:
        values = np.unique(np.quantile(known, np.linspace(0, 1, RANGES + 1)[:-1]))
        level = np.searchsorted(values, rating, side="right") - 1
        words = tuple(f"rated {quote(float(value))} or just above" for value in values)
    return np.where(np.isnan(rating), -1, level).astype(np.int64), words


def _seconds(column: Any) -> Floats:  # noqa: ANN401 - pyarrow is untyped
    if pa.types.is_temporal(column.type):
        # Times of day and dates have no direct cast to microseconds; timestamps do.
        column = pc.divide(column.cast(pa.timestamp("us")).cast(pa.int64()).cast("float64"), 1e6)
    found: Floats = column.cast(pa.float64()).to_numpy()
    return found
