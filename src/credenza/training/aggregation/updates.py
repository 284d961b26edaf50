"""The updates of one round, taken in by rule: what is malformed is excluded and named.

A client sends a vector and nothing else. There is no place for an example count, so a
client cannot declare itself heavy; what is not a vector of the round's dimension, or holds
a value that is not a number of sane size, is left out, and counts as one of the ``f``
faulty clients that the rule was told to expect.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.blocks import blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from credenza.training.aggregation.blocks import Row

    Updates: TypeAlias = Row | Sequence[object]

LARGEST = 1e15
"""No update is this large, and its square still sums in float32 without overflow."""

READ_VALUES = 2**19
"""Values of one row that are looked at together."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """In place of an update: a message that could not be read as one, and why."""

    reason: str


@dataclass(frozen=True, slots=True)
class Round:
    """The well-formed rows of a round.

    Attributes:
        rows: one vector per client that is left, not copied.
        clients: its position among the updates as they were given.
        excluded: why each of the others was left out, by position.
        dimension: length of every row.
    """

    rows: tuple[Row, ...]
    clients: tuple[int, ...]
    excluded: Mapping[int, str]
    dimension: int

    def without(self, faulty: Mapping[int, str]) -> Round:
        """The round with more clients left out; keys are positions in ``rows``."""
        left = [place for place in range(len(self.rows)) if place not in faulty]
        named = {self.clients[place]: reason for place, reason in faulty.items()}
        return Round(
            rows=tuple(self.rows[place] for place in left),
            clients=tuple(self.clients[place] for place in left),
            excluded={**self.excluded, **named},
            dimension=self.dimension,
        )


def open_round(updates: Updates, dimension: int | None = None) -> Round:
    """Take in ``updates`` without reading their values.

    Args:
        updates: ``(n, d)`` matrix or memory map, or ``n`` vectors, whatever was sent, or an
            ``Unfit`` where the caller knows better why it is none.
        dimension: the model's; None: the length that most clients agree on.

    Raises:
        UsageError: nothing that is a vector of numbers was given, or two lengths are
            equally common and ``dimension`` does not say which is right.
    """
    rows: dict[int, Row] = {}
    excluded: dict[int, str] = {}
    for client, update in enumerate(updates):
        row = _vector(update)
        if isinstance(row, str):
            excluded[client] = row
        else:
            rows[client] = row
    if not rows:
        raise UsageError(
            "no-updates",
            "no client sent a vector of numbers",
            why="; ".join(sorted(set(excluded.values()))) or "there are no updates",
            fix="give an (n, d) array or n vectors, without example counts",
        )
    if dimension is None:
        dimension = _common_length(rows)
    for client in [c for c, row in rows.items() if len(row) != dimension]:
        excluded[client] = f"has {len(rows.pop(client))} values, the round has {dimension}"
    return Round(tuple(rows.values()), tuple(rows), excluded, dimension)


def non_finite(rows: Sequence[Row]) -> dict[int, str]:
    """Positions of rows with a value that is no number or beyond ``LARGEST``, and why."""
    found: dict[int, str] = {}
    for place, row in enumerate(rows):
        for part in blocks(len(row), READ_VALUES):
            values = widened(row[part])
            # The dot product is the cheap test; only what fails it is looked at twice.
            with np.errstate(invalid="ignore", over="ignore"):
                square = np.dot(values, values)
            if square <= LARGEST**2:
                continue
            largest = float(np.abs(values).max())
            if not largest <= LARGEST:
                what = "is not finite" if not np.isfinite(largest) else f"exceeds {LARGEST:g}"
                found[place] = f"a value {what}"
                break
    return found


def widened(part: Row) -> Row:
    """``part`` in a type that can hold sums: float64 as it is, narrower as float32."""
    return part if part.dtype in (np.float32, np.float64) else part.astype(np.float32)


def zeros(dimension: int) -> Row:
    """A zero vector that takes no memory."""
    return np.broadcast_to(np.float32(0), (dimension,))


def _vector(update: object) -> Row | str:
    if isinstance(update, Unfit):
        return update.reason
    try:
        row = np.asanyarray(update)
    except ValueError:
        return "is not one vector of numbers"
    if row.dtype.kind in "iu":
        row = row.astype(np.float64)
    if row.dtype.kind != "f" or row.ndim != 1 or row.size == 0:
        return "is not one vector of numbers"
    return row.astype(np.float64) if row.dtype.itemsize > 8 else row


def _common_length(rows: Mapping[int, Row]) -> int:
    ranked = Counter(len(row) for row in rows.values()).most_common(2)
    if len(ranked) == 2 and ranked[0][1] == ranked[1][1]:
        raise UsageError(
            "no-common-dimension",
            "the updates have different lengths and none is the most common",
            why=f"{ranked[0][1]} clients each sent {ranked[0][0]} and {ranked[1][0]} values",
            fix="give dimension=, the length of the model's parameters",
        )
    return ranked[0][0]
