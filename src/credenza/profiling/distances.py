"""How far two samples of one column are apart, read from counts over the same cells.

Each function takes counts or shares by cell: ranges of a number in order, values of a
category in any. So they cost nothing beside the counting, merge as counts do, and see no
more than the cells do: what moves inside one cell is invisible to all of them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats


def stability_index(new: Floats, old: Floats) -> float:
    """Population stability index of two share vectors without zeros; 0 when equal.

    Source:
        Siddiqi, Credit Risk Scorecards, 2006; the symmetrised Kullback-Leibler divergence.
    """
    return float(((new - old) * np.log(new / old)).sum())


def greatest_distance(new: Floats, old: Floats, *, is_ordered: bool) -> float:
    """Kolmogorov-Smirnov distance of ordered cells, total variation of others; 0 to 1."""
    gap = new - old
    return float(np.abs(np.cumsum(gap)).max() if is_ordered else np.abs(gap).sum() / 2)


def jensen_shannon(new: Floats, old: Floats) -> float:
    """Jensen-Shannon distance of two share vectors in base 2: a metric between 0 and 1.

    Source:
        Endres and Schindelin, IEEE Transactions on Information Theory 49 (2003).
    """
    middle = (new + old) / 2
    return float(np.sqrt(max(0.0, (_divergence(new, middle) + _divergence(old, middle)) / 2)))


def mean_discrepancy(new: Floats, old: Floats, *, is_ordered: bool) -> float:
    """Maximum mean discrepancy with a Laplace kernel over ordered cells; 0 when equal.

    Near cells are alike (half as much ten per cent of the range further on), so that a
    slight shift counts less than a far one; cells of a category are all equally far.

    Source:
        Gretton et al., JMLR 13 (2012), on cells instead of points.
    """
    gap = new - old
    if not is_ordered:
        return float(np.sqrt(gap @ gap))
    place = np.linspace(0, 1, len(gap))
    kernel = 0.5 ** (np.abs(place[:, None] - place[None, :]) / 0.1)
    return float(np.sqrt(max(0.0, float(gap @ kernel @ gap))))


def classifier_accuracy(new: Floats, old: Floats, *, least: int = 200) -> float | None:
    """Balanced accuracy of telling the samples apart by this column; .5 is chance.

    The classifier calls each cell after the sample that has the larger share of it, and is
    judged on rows that it has not seen, exactly: each row's own vote is taken out before it
    is classified. None below ``least`` rows in either sample, where that says little.

    Args:
        new: counts by cell of one sample.
        old: counts by cell of the other.
        least: fewest rows of each sample.

    Source:
        Classifier two-sample test, Lopez-Paz and Oquab, arXiv:1610.06545; leave-one-out.
    """
    n, m = new.sum(), old.sum()
    if min(n, m) < least:
        return None
    found = [_called(a, b, a.sum(), b.sum()) for a, b in ((new, old), (old, new))]
    return float(np.mean(found))


def _called(own: Floats, other: Floats, n: float, m: float) -> float:
    """Share of a sample's rows that the others call theirs; ties are half."""
    gap = (own - 1) / n - other / m
    votes: Floats = (np.sign(gap) + 1) / 2
    return float((own * votes).sum() / n)


def _divergence(shares: Floats, middle: Floats) -> float:
    has = shares > 0
    return float((shares[has] * np.log2(shares[has] / middle[has])).sum())
