"""How far vectors lie from the middle of their label, and the odds that they were moved there."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from credenza.core.types import Role
from credenza.screening.features.encoding import points_of
from credenza.screening.view import NotApplicableError

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, View
    from credenza.screening.features.encoding import Points

DIMENSIONS = 512
TRIMMED = 0.15
ROUNDS = 3
FLOOR = 1e-3
HALF_A_ROW = 0.5
BEYOND_CHANCE = 2.0


def whitened(points: Points) -> Floats:
    """``(n, d)`` vectors less their label's median, in which central rows vary alike all ways."""
    matrix = points.leading(DIMENSIONS).astype(np.float64)
    for value in np.unique(points.classes):
        mine = points.classes == value
        matrix[mine] -= np.median(matrix[mine], axis=0)
    central: Bools = np.ones(len(matrix), dtype=bool)
    white = matrix
    for _ in range(ROUNDS):
        spread, axes = np.linalg.eigh(matrix[central].T @ matrix[central] / central.sum())
        # Directions in which central rows hardly vary would blow up rounding.
        spread = np.maximum(spread, max(FLOOR * float(spread[-1]), 1e-12))
        white = matrix @ (axes / np.sqrt(spread))
        far = (white**2).sum(axis=1)
        central = far <= np.quantile(far, 1.0 - TRIMMED)
    return white


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
