"""Whether some rows are, but for what was put on them, a random draw of others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

if TYPE_CHECKING:
    from credenza.core.types import Ints
    from credenza.screening.features.table import Coded

DRAWS = 100
PAYLOAD = 0.9
DOUBT = -4.0


def drawn_log_p(columns: list[Coded], rows: Ints, others: Ints) -> float:
    """Log p of ``rows`` as a draw of ``others``, by the column that fits worst.

    Who stamps a value on rows of other labels leaves all else in them as it was. What a value
    honestly means shows elsewhere too: wives are older than those who never married. So
    the values of each column among the rows are compared with those of draws of others.
    Columns in which nearly all of the rows agree may be part of the stamp, or what its
    victims were chosen by: they are not asked, and where the rows fit badly, they are
    compared with others that have the same value there, too.

    Blind in tables whose columns say nothing of one another, and where rows are few; it
    takes a stamp on rows that were chosen in another way for an honest value.

    Args:
        columns: the table's columns as codes, without those that were stamped.
        rows: positions of the carriers.
        others: positions that the draws are from, in an order of their content.

    Returns:
        Natural logarithm, over the columns by Bonferroni; 0 where nothing can be compared.

    Complexity:
        O(100 · c · rows) for c columns, times columns in which the rows agree.
    """
    usual = [np.bincount(one.codes[rows], minlength=one.size) for one in columns]
    agree = np.array([counts.max() >= PAYLOAD * len(rows) for counts in usual], dtype=bool)
    asked = [one for one, is_one in zip(columns, agree, strict=True) if not is_one]
    if not asked or len(others) == 0:
        return 0.0
    found = _misfit(asked, rows, others)
    for at in np.flatnonzero(agree):
        if found >= DOUBT:
            break
        alike = others[columns[at].codes[others] == usual[at].argmax()]
        if len(rows) <= len(alike) < PAYLOAD * len(others):
            found = max(found, _misfit(asked, rows, alike))
    return float(min(0.0, found + np.log(len(asked))))


def _misfit(columns: list[Coded], rows: Ints, others: Ints) -> float:
    """Log p of the counts of the worst column among ``rows``, by those of draws of others.

    Pearson's statistic with the mean of the draws, its tail that of a gamma with the moments
    it has among the draws.
    """
    draws = np.random.default_rng(0).choice(others, (DRAWS, len(rows)))
    found = 0.0
    for one in columns:
        at = np.arange(DRAWS)[:, None] * one.size + one.codes[draws]
        drawn = np.bincount(at.ravel(), minlength=DRAWS * one.size).reshape(-1, one.size)
        usual = drawn.mean(axis=0)
        mine = np.bincount(one.codes[rows], minlength=one.size)
        far = (((drawn - usual) ** 2) / (usual + 0.5)).sum(axis=1)
        # The others are a sample themselves.
        own = (((mine - usual) ** 2) / (usual + 0.5)).sum() / (1.0 + len(rows) / len(others))
        middle, spread = far.mean(), max(float(far.var()), 1e-9)
        shape, scale = middle**2 / spread, spread / max(middle, 1e-9)
        found = min(found, float(stats.gamma.logsf(own, shape, scale=scale)))
    return found
