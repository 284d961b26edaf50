"""Scores become one unit: a p-value against trusted rows, and an e-value."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints

MIN_CLASS_ROWS = 50


def conformal_p(scores: Floats, trusted: Floats) -> Floats:
    """Rank each score among the scores of trusted rows.

    Valid while the new rows are exchangeable with the trusted ones; blind to a
    poisoned reference, which is why the reference is itself a release.

    Args:
        scores: ``(n,)`` new scores, higher = more suspicious.
        trusted: ``(m,)`` scores of rows from admitted batches; m = 0 is allowed.

    Returns:
        ``(n,)`` p-values in ``[1 / (m + 1), 1]``; P(p <= a) <= a for every a.

    Source:
        Bates et al., arXiv:2104.08279, equation 1.
    """
    ordered = np.sort(trusted)
    at_least = len(ordered) - np.searchsorted(ordered, scores, side="left")
    return np.asarray((1.0 + at_least) / (1.0 + len(ordered)), dtype=np.float64)


def mondrian_p(scores: Floats, trusted: Bools, classes: Ints) -> Floats:
    """Conformal p-values within each class of label, for every row of a view.

    A rare label would otherwise look suspicious for being rare. Classes with fewer
    than 50 trusted rows are ranked against all trusted rows. A trusted row is ranked
    among the others, itself left out, so that its p-value is distributed as a new
    row's is.

    Args:
        scores: ``(n,)`` scores of all rows.
        trusted: ``(n,)`` which of them are trusted.
        classes: ``(n,)`` label code of each row.

    Returns:
        ``(n,)`` p-values.

    Source:
        Vovk et al. 2003 (Mondrian confidence machines); Bates et al., arXiv:2104.08279.
    """
    p = np.ones(len(scores))
    pooled = scores[trusted]
    for value in np.unique(classes):
        here = classes == value
        own = scores[here & trusted]
        reference = own if len(own) >= MIN_CLASS_ROWS else pooled
        p[here] = conformal_p(scores[here], reference)
        # A trusted row counted itself: (1 + k) / (m + 1) becomes k / m.
        inside = here & trusted
        m = max(len(reference), 1)
        p[inside] = np.clip((p[inside] * (m + 1) - 1) / m, 1.0 / m, 1.0)
    return p


def e_from_p(p: Floats) -> Floats:
    """The e-value ∫ κ p^(κ-1) dκ over κ in (0, 1): large when p is small, mean ≤ 1.

    Args:
        p: ``(n,)`` p-values in (0, 1].

    Returns:
        ``(n,)`` e-values; 1/2 at p = 1.

    Raises:
        ValueError: a p-value lies outside (0, 1].

    Source:
        Vovk and Wang, arXiv:1912.06116, the mixture of equation 2.
    """
    if np.any((p <= 0) | (p > 1)):
        raise ValueError("p-values lie in (0, 1]")
    log = np.log(p)
    near_one = log > -1e-3
    safe = np.where(near_one, -1.0, log)
    exact = (1.0 - p + p * safe) / (p * safe**2)
    # The series at p = 1, where the quotient is 0 / 0.
    return np.where(near_one, 0.5 - log / 6.0, exact)


def drift_factor(p: Floats, sources: Ints, *, at: float = 0.02) -> float:
    """How much more often the *typical* source crosses ``p <= at`` than trusted rows do.

    New weeks are never quite exchangeable with old ones. Sources are ordered by their
    rate, the upper and lower quarters are set aside, and the rest says how far the
    whole window has moved; p-values are multiplied by it. As long as fewer than a
    quarter of the sources act, they cannot inflate it. Blind to what a majority of
    sources does together.

    Args:
        p: ``(n,)`` p-values of the rows under test.
        sources: ``(n,)`` source codes of these rows.
        at: level at which the rates are compared.

    Returns:
        A factor, at least 1.
    """
    if len(p) == 0:
        return 1.0
    rows = np.bincount(sources)
    hits = np.bincount(sources, weights=p <= at)
    present = np.flatnonzero(rows)
    if len(present) < 4:
        # Without a crowd of sources there is no typical one.
        return 1.0
    order = present[np.argsort(hits[present] / rows[present], kind="stable")]
    quarter = len(order) // 4
    inner = order[quarter : len(order) - quarter]
    return float(max(1.0, hits[inner].sum() / rows[inner].sum() / at))
