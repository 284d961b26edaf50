"""Which hypotheses to reject: false discovery control over rows, groups and sources."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.screening.calibrate import e_from_p

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.types import Bools, Floats, Ints

SOURCE_LEVELS = (0.002, 0.01, 0.05)


def reject_p(p: Floats, fdr: float) -> Bools:
    """Benjamini-Hochberg: reject the k smallest with p(k) <= fdr · k / n.

    Conformal p-values that share one reference are positively dependent in the sense
    the procedure needs (Bates et al., theorem 2); rows are tested with it, because an
    e-value made from a single conformal p-value is too small for thousands of rows.

    Args:
        p: ``(n,)`` p-values.
        fdr: expected share of false rejections, in (0, 1).

    Returns:
        ``(n,)`` mask of the rejected.

    Source:
        Benjamini and Hochberg 1995.
    """
    n = len(p)
    if n == 0:
        return np.zeros(0, dtype=bool)
    ordered = np.sort(p)
    passing = np.flatnonzero(ordered <= fdr * np.arange(1, n + 1) / n)
    return p <= ordered[passing[-1]] if len(passing) else np.zeros(n, dtype=bool)


def reject_log_p(log_p: Floats, fdr: float, tests: int) -> Bools:
    """``reject_p`` on natural logarithms, which do not underflow.

    Args:
        log_p: ``(n,)`` logarithms of the smallest of ``tests`` p-values.
        fdr: expected share of false rejections.
        tests: number of hypotheses looked at, at least ``len(log_p)``.
    """
    n = len(log_p)
    if n == 0:
        return np.zeros(0, dtype=bool)
    ordered = np.sort(log_p)
    passing = np.flatnonzero(ordered <= np.log(fdr * np.arange(1, n + 1) / max(tests, n)))
    return log_p <= ordered[passing[-1]] if len(passing) else np.zeros(n, dtype=bool)


def reject_e(e: Floats, fdr: float) -> Bools:
    """e-BH: reject the k largest with e(k) >= n / (fdr · k); any dependence will do.

    Args:
        e: ``(n,)`` e-values.
        fdr: expected share of false rejections, in (0, 1).

    Returns:
        ``(n,)`` mask of the rejected.

    Source:
        Wang and Ramdas, arXiv:2009.02824.
    """
    n = len(e)
    if n == 0:
        return np.zeros(0, dtype=bool)
    ordered = np.sort(e)[::-1]
    passing = np.flatnonzero(ordered * fdr * np.arange(1, n + 1) >= n)
    return e >= ordered[passing[-1]] if len(passing) else np.zeros(n, dtype=bool)


def average_e(p_by_detector: Iterable[Floats], n: int) -> Floats:
    """Mean e-value over detectors: valid whatever their dependence; never a product.

    Args:
        p_by_detector: ``(n,)`` p-values of each detector.
        n: number of rows.

    Returns:
        ``(n,)``; ones when no detector spoke.
    """
    all_e = [e_from_p(p) for p in p_by_detector]
    return np.asarray(np.mean(all_e, axis=0)) if all_e else np.ones(n)


def source_p(p: Floats, sources: Ints, units: Ints, count: int) -> Floats:
    """p-value of each source: more of its distinct rows have a small p than should.

    At each of three levels the number of rows below it has a binomial tail; the best
    of the three is multiplied by three. Copies of one row within a source are one
    unit. Blind to sources with a handful of rows, and to poison whose rows look
    ordinary one by one.

    Args:
        p: ``(n,)`` row p-values, of rows under test only.
        sources: ``(n,)`` source codes.
        units: ``(n,)`` content hash of the rows.
        count: number of source codes.

    Returns:
        ``(count,)`` p-values, 1 for absent sources.
    """
    order = np.lexsort((p, units, sources))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = np.diff(sources[order]).astype(bool) | np.diff(units[order]).astype(bool)
    kept = order[fresh]
    rows = np.bincount(sources[kept], minlength=count)
    best = np.ones(count)
    for level in SOURCE_LEVELS:
        hits = np.bincount(sources[kept], weights=p[kept] <= level, minlength=count)
        best = np.minimum(best, stats.binom.sf(hits - 1, np.maximum(rows, 1), level))
    return np.clip(best * len(SOURCE_LEVELS), 1e-300, 1.0)


def reject_within(p: Floats, groups: Iterable[Ints], fdr: float) -> Bools:
    """Rows rejected inside each group that was itself rejected before.

    Testing a source's 300 rows instead of the window's 6,000 asks for 20 times less
    evidence of each row. Call it again with what campaigns named.

    Args:
        p: ``(n,)`` row p-values.
        groups: positions of the rows of each rejected group.
        fdr: expected share of false rejections in a group.

    Returns:
        ``(n,)`` mask.
    """
    found = np.zeros(len(p), dtype=bool)
    for rows in groups:
        found[rows] |= reject_p(p[rows], fdr)
    return found
