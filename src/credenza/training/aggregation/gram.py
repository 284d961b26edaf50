"""One centred Gram matrix, from which most robust rules need nothing else.

Pairwise distances of updates that differ little from one another cancel in float32
unless a common part is subtracted first. The centre is one client's row, which costs
least and is exact where rows are close. Should that client lie far from the others the
distances cancel again, which shows in the result; then the coordinate-wise median, which
no minority can drag away, is the centre of a second pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.core.errors import UsageError
from credenza.training.aggregation.coordinate import middle
from credenza.training.aggregation.updates import LARGEST, blocks, non_finite, widened

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats
    from credenza.training.aggregation.updates import Round, Row

CANCELLED_BELOW = 0.05
"""Squared reach of a majority over squared distance from the centre."""


def measure(updates: Round, anchors: Sequence[Row] = ()) -> tuple[Floats, Round]:
    """The Gram matrix of the rows and ``anchors``, and the round that it is of.

    Clients whose values are not finite are found in the same pass, by the diagonal,
    and left out. An honest round is read once, a hostile one at most four times.

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
    gram = _gram(updates, anchors, by_median=False)
    if not np.all(np.diag(gram) <= LARGEST**2):
        updates = screened(updates)
        if non_finite(anchors):
            raise UsageError("bad-anchor", "a reference vector has values that are not finite")
        gram = _gram(updates, anchors, by_median=False)
    if cancelled(gram[: len(updates.rows), : len(updates.rows)]):
        gram = _gram(updates, anchors, by_median=True)
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
    rows = len(gram)
    majority = rows // 2
    reach = np.partition(squared_distances(gram), majority, axis=1)[:, majority]
    return bool(2 * np.sum(reach >= CANCELLED_BELOW * np.diag(gram)) <= rows)


def _gram(updates: Round, anchors: Sequence[Row], *, by_median: bool) -> Floats:
    rows = (*updates.rows, *anchors)
    clients = len(updates.rows)
    gram = np.zeros((len(rows), len(rows)))
    buffer = np.empty(0, dtype=np.float32)
    with np.errstate(invalid="ignore", over="ignore"):
        for part in blocks(updates.dimension, len(rows)):
            width = part.stop - part.start
            if width != buffer.shape[-1]:
                buffer = np.empty((len(rows), width), dtype=np.float32)
            centre = widened(rows[0][part])
            if by_median:
                ordered = np.ascontiguousarray(np.stack([r[part] for r in rows[:clients]]).T)
                ordered.sort(axis=1)
                centre = middle(ordered)
            for place, row in enumerate(rows):
                np.subtract(row[part], centre, out=buffer[place], casting="same_kind")
            gram += buffer @ buffer.T
    return gram
