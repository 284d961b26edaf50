"""How far vectors lie from the middle of their label, and the odds that they were moved there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role
from credenza.screening.features.encoding import points_of
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.encoding import Points

DIMENSIONS = 512
TRIMMED = 0.15
ROUNDS = 2
ENOUGH = 4_000
NORMAL_MAD = 1.4826
FLOOR = 1e-3
HALF_A_ROW = 0.5
BEYOND_CHANCE = 2.0


def whitened(points: Points) -> Floats:
    """``(n, d)`` vectors less their label's median, in which central rows vary alike all ways.

    Which rows are central is found by trimming the outermost and measuring again. Rows moved
    one quiet way together widen that way, until they look no further off than honest rows that
    reach far in ways of their own, and then no trimming meets them. So it is begun three
    times with the nearer half, by distances on which rows that widen a way have little hold,
    and the narrowest spread that comes out is kept: it is wider with moved rows inside. Where
    there are many rows, it is begun on a part of them. Blind to moved rows that all three count in.

    Source:
        Concentration steps from several robust starts, the least determinant wins: Hubert,
        Rousseeuw and Verdonck 2012 (DetMCD), their starts replaced by ours, but for the last.
    """
    matrix = points.leading(DIMENSIONS).astype(np.float64)
    for value in np.unique(points.classes):
        mine = points.classes == value
        matrix[mine] -= np.median(matrix[mine], axis=0)
    part = slice(None, None, -(-len(matrix) // ENOUGH))
    beginning, classes = matrix[part], points.classes[part]
    length = np.linalg.norm(beginning, axis=1)
    along = np.abs(beginning @ np.linalg.eigh(beginning.T @ beginning)[1])
    usual = (NORMAL_MAD * np.median(along, axis=0)) ** 2
    # Directions in which central rows hardly vary would blow up rounding.
    floor = max(FLOOR * float(usual.max()), 1e-12)
    # Along the axes of all rows a shift is soon one of them, and a median sees few rows of it.
    by_axis = np.linalg.norm(along / np.sqrt(np.maximum(usual, floor)), axis=1)
    starts = (length, _by_label(length, classes), by_axis)
    begun = [_narrowed(beginning, _nearest(start, 0.5), floor) for start in starts]
    away = np.linalg.norm(matrix @ min(begun, key=lambda found: found[0])[1], axis=1)
    return matrix @ _narrowed(matrix, _nearest(away, 1.0 - TRIMMED), floor)[1]


def _nearest(away: Floats, share: float) -> Bools:
    return np.asarray(away <= np.quantile(away, share))


def _narrowed(matrix: Floats, central: Bools, floor: float) -> tuple[float, Floats]:
    """Log determinant of the central rows' spread, and the ``(d, d)`` turn that whitens it."""
    for _ in range(ROUNDS):
        spread, axes = np.linalg.eigh(matrix[central].T @ matrix[central] / central.sum())
        spread = np.maximum(spread, floor)
        turn = axes / np.sqrt(spread)
        central = _nearest(np.linalg.norm(matrix @ turn, axis=1), 1.0 - TRIMMED)
    return float(np.log(spread).sum()), turn


def _by_label(length: Floats, classes: Ints) -> Floats:
    """Lengths beside the usual one of the label, for labels of different width."""
    found = length.copy()
    for value in np.unique(classes):
        mine = classes == value
        found[mine] /= max(float(np.median(length[mine])), 1e-12)
    return found


def moved_log_odds(view: View) -> Floats:
    """``(n,)`` log odds that a row's vector was moved away from its label.

    Distances are measured after whitening by the central rows, so that a step in a quiet
    direction counts, and compared with the usual distance in the label. How far honest rows
    stray is continued from those between the median and the outermost 15 %, whose
    distances thin out as an exponential does. The odds are those of a row being one of the
    rows beyond that are more than this foretells, less twice the error of the count. Where
    honest rows stray no further, the odds are those of half a row that might lie anywhere.
    Blind to rows moved less than honest ones differ, to more moved rows than 15 %, and to
    whether what lies far away is poison: this ranks.

    Args:
        view: rows with an embedding column.

    Returns:
        Log odds, never falling with the distance; minus infinity where all vectors are one.

    Source:
        Two groups and their local false discovery rate, Efron 2004; the tail is ours.
    """
    try:
        points = points_of(view, (Role.EMBEDDING,))
    except NotApplicableError:
        return np.full(view.table.num_rows, -np.inf)
    away = np.log(np.linalg.norm(whitened(points), axis=1) + 1e-9)
    for value in np.unique(points.classes):
        mine = points.classes == value
        away[mine] -= np.median(away[mine])
    middle, edge = np.quantile(away, [0.5, 1.0 - TRIMMED])
    scale = max(float(edge - middle) / np.log(0.5 / TRIMMED), 1e-12)
    order = np.argsort(away, kind="stable")
    usual = np.minimum(0.5 * np.exp(-(away[order] - middle) / scale), 1.0) * len(away)
    excess = np.arange(len(away), 0, -1) - usual - BEYOND_CHANCE * np.sqrt(usual)
    # Half a row more than there are, anywhere up to the furthest: nobody is surely honest.
    anywhere = HALF_A_ROW * scale / max(float(away.max() - middle), scale)
    excess = np.maximum(np.where(away[order] > edge, excess, 0.0), anywhere)
    odds = np.empty(len(away))
    odds[order] = np.maximum.accumulate(excess / np.maximum(usual, HALF_A_ROW))
    return points.in_rows(np.log(odds))
