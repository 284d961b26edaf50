"""One centred Gram matrix, from which most robust rules need nothing else.

Pairwise distances of updates that differ little from one another cancel in float32
unless a common part is subtracted first. Any vector serves as the centre, one made of
pieces too, so each block of coordinates has its own. The origin costs nothing and serves
updates that differ as much as they are long; that a block's distances cancel shows in the
result. Then one client's row is the centre, which is exact where rows are close; should that
client lie far from the others, another's is tried, and at last the coordinate-wise median,
which no minority can drag away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.blocks import as_matrix, blocks, lay, scratch, width_within
from credenza.training.aggregation.coordinate import middle
from credenza.training.aggregation.ordering import by_sort
from credenza.training.aggregation.updates import LARGEST, non_finite, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.aggregation.blocks import Row
    from credenza.training.aggregation.updates import Round

CANCELLED_BELOW = 0.05
"""Squared reach of a majority over squared distance from the centre."""

ROW_TRIES = 3
"""Rows that are tried as a block's centre between the origin and its median."""

STAGE_BYTES = 2**22
"""A block of all rows: long enough pieces of each to stream, short enough for a cache."""

PIECE = 1_600
"""Coordinates multiplied at once: BLAS takes products of up to a million steps as they lie,
without repacking, at twice the speed; 100 cache lines, so that rows spread over the cache."""

STRIP = 8
"""Clients multiplied at once with all after them, since the matrix is symmetric."""

STRIPS_UP_TO = 64
"""With more clients BLAS's own symmetric product is faster than strips."""


def measure(updates: Round, anchors: Sequence[Row] = ()) -> tuple[Floats, Round]:
    """The Gram matrix of the rows and ``anchors``, and the round that it is of.

    Clients whose values are not finite are found in the same pass, by the diagonal; then
    the round is screened and read anew without them, three times in all at most.

    Args:
        updates: the round, ``n`` rows of ``d`` values.
        anchors: further vectors of ``d`` values that are no client's.

    Returns:
        ``(n + a, n + a)`` float64 inner products about a common centre, anchors last,
        and the round without the clients that were left out.

    Raises:
        UsageError: an anchor is not finite, or no client is left.

    Complexity:
        ``n² d`` multiply-adds in float32, sums of blocks in float64, memory for one
        block and the result.
    """
    gram = _gram(updates, anchors, LARGEST**2)
    if not _within(gram, LARGEST**2):
        updates = screened(updates)
        if non_finite(anchors):
            raise UsageError("bad-anchor", "a reference vector has values that are not finite")
        gram = _gram(updates, anchors, np.inf)
    return gram, updates


def screened(updates: Round) -> Round:
    """The round without clients whose values are not finite.

    Raises:
        UsageError: no client is left.
    """
    left = updates.without(non_finite(updates.rows))
    if not left.rows:
        raise UsageError(
            "no-updates",
            "no client sent finite values",
            why="; ".join(sorted(set(left.excluded.values()))),
            fix="look at the clients: every one of them failed",
        )
    return left


def squared_distances(gram: Floats) -> Floats:
    """``(n, n)`` squared distances, never negative, zero on the diagonal."""
    norms = np.diag(gram)
    found = np.maximum(norms[:, None] + norms[None, :] - 2 * gram, 0.0)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found, dtype=np.float64)


def about(gram: Floats, weights: Floats) -> Floats:
    """The Gram matrix about the point ``weights @ rows``; ``weights`` sum to 1."""
    pull = gram @ weights
    moved = gram - pull[:, None] - pull[None, :] + weights @ pull
    return np.asarray(moved, dtype=np.float64)


def cancelled(gram: Floats) -> bool:
    """Whether most rows lie so far from the centre that their distances are rounding.

    Every row of an honest majority has that majority within reach, so few rows pass
    this test only when the centre is far from the majority.
    """
    return bool(2 * np.sum(_reach(gram) >= CANCELLED_BELOW * np.diag(gram)) <= len(gram))


def _reach(gram: Floats) -> Floats:
    """``(n,)`` squared distance within which each row has half of the others."""
    majority = len(gram) // 2
    ordered = np.partition(squared_distances(gram), majority, axis=1)
    return np.asarray(ordered[:, majority], dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Shelf:
    """The rows of a round, as they lie and as they are laid out block by block.

    Attributes:
        rows: vectors of as many values.
        whole: the same as one float32 matrix, when they lie so in memory.
        stage: what a block is copied to.
    """

    rows: tuple[Row, ...]
    whole: Row | None
    stage: Row

    def about(self, part: slice, centre: int | None) -> Row:
        """``(n, width)`` float32 values about a row, or about the origin: uncopied if they can."""
        if centre is not None:
            return lay(self.rows, part, self.stage, widened(self.rows[centre][part]))
        return lay(self.rows, part, self.stage) if self.whole is None else self.whole[:, part]


def _shelved(rows: tuple[Row, ...]) -> _Shelf:
    width = width_within(STAGE_BYTES, len(rows)) // PIECE * PIECE or PIECE
    stage = scratch(len(rows), width)
    return _Shelf(rows, as_matrix(rows, stage.dtype), stage)


def _gram(updates: Round, anchors: Sequence[Row], largest: float) -> Floats:
    """The sum over blocks, up to the first with a row of more than ``largest`` squared length."""
    shelf = _shelved((*updates.rows, *anchors))
    gram = np.zeros((len(shelf.rows), len(shelf.rows)))
    centre: int | None = None
    with np.errstate(invalid="ignore", over="ignore"):
        for part in blocks(updates.dimension, shelf.stage.shape[1]):
            found, centre = _block(shelf, len(updates.rows), part, centre)
            gram += found
            if not _within(gram, largest):
                break
    return gram


def _block(
    shelf: _Shelf, clients: int, part: slice, centre: int | None
) -> tuple[Floats, int | None]:
    """The Gram matrix of a block about a centre that serves, and the one to try next time."""
    for _ in range(1 + ROW_TRIES):
        found = _product(shelf.about(part, centre))
        near = found[:clients, :clients]
        if not _within(near, np.inf) or not cancelled(near):
            return found, centre
        centre = int(_reach(near).argmin())
    ordered = by_sort(np.stack([row[part] for row in shelf.rows[:clients]]))
    return _product(lay(shelf.rows, part, shelf.stage, middle(ordered))), centre


def _product(block: Row) -> Floats:
    """``(n, n)`` float64 inner products of the rows."""
    size, width = block.shape
    if size > STRIPS_UP_TO:
        return np.asarray(block @ block.T, dtype=np.float64)
    whole = width // PIECE * PIECE
    pieces = block[:, :whole].reshape(size, -1, PIECE).transpose(1, 0, 2)
    found = np.zeros((size, size))
    for first in range(0, size, STRIP):
        strip, rest = pieces[:, first : first + STRIP], pieces[:, first:]
        found[first : first + STRIP, first:] = (strip @ rest.transpose(0, 2, 1)).sum(axis=0)
    left = block[:, whole:]
    both = np.triu(found) + np.triu(found, 1).T + left @ left.T
    return np.asarray(both, dtype=np.float64)


def _within(gram: Floats, largest: float) -> bool:
    """Whether no row is longer; a row that holds NaN is of no length at all."""
    return bool(np.all(np.diag(gram) <= largest))
