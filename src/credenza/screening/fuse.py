"""Which hypotheses to reject: false discovery control over rows, groups and sources."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special, stats

from credenza.screening.calibrate import e_from_p

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from credenza.core.types import Bools, Floats, Ints

SOURCE_LEVELS = (0.002, 0.01, 0.05)
PRIOR_ROWS = 100.0
CROWD = 8
NORMAL_IQR = 1.349
STRONGEST = 12.0
RANKED = 5.3
WITHIN = 0.9


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


def excess_log_p(hits: Ints, rows: Ints, rate: Floats, reference: int) -> Floats:
    """Log p of seeing ``hits`` among ``rows``, when ``rate`` was itself estimated.

    The weaker of a binomial tail and a two-sample normal tail on square roots: with
    200,000 rows the error of a rate from 8,000 trusted ones is what counts.

    Args:
        hits: ``(s,)`` hits of each source.
        rows: ``(s,)`` its rows, at least 1.
        rate: ``(s,)`` or scalar usual rate.
        reference: rows that the rate was estimated on.
    """
    binomial = stats.binom.logsf(hits - 1, rows, rate)
    error = np.sqrt(1.0 / rows + 1.0 / max(reference, 1))
    z = 2.0 * (np.sqrt((hits + 0.375) / (rows + 0.75)) - np.sqrt(rate)) / error
    return np.asarray(np.maximum(binomial, special.log_ndtr(-z)))


def temper(log_p: Floats) -> Floats:
    """Divide the sources' normal scores by their spread, where it exceeds the normal's.

    Sources differ from week to week by more than counting noise. As long as fewer than
    a quarter of them act on each side, the middle half shows by how much.

    Args:
        log_p: ``(s,)`` logarithms of p-values, one a source.

    Returns:
        ``(s,)`` logarithms, moved towards those of the crowd; unchanged for fewer than 8.
    """
    if len(log_p) < CROWD:
        return log_p
    z = -special.ndtri_exp(np.minimum(log_p, -1e-9))
    low, high = np.quantile(z, [0.25, 0.75])
    return np.asarray(special.log_ndtr(-z / max(1.0, float(high - low) / NORMAL_IQR)))


def source_p(p: Floats, rows: SourceRows) -> Floats:
    """p-value of each source: more of its distinct rows have a small p than usual.

    At each of three levels the number of rows below it has a binomial tail against the
    level, or the rate among the source's own trusted rows if that is higher; the best
    of the three is multiplied by three, and tempered. Copies of one row within a source
    are one unit. Blind to sources with a handful of rows, and to poison whose rows look
    ordinary one by one.

    Args:
        p: ``(n,)`` row p-values, trusted rows included.
        rows: whose they are.

    Returns:
        ``(rows.count,)`` p-values, 1 for absent sources.
    """
    new, old = rows.distinct(p, ~rows.trusted), rows.distinct(p, rows.trusted)
    n, m = rows.per_source(new), rows.per_source(old)
    log_p = np.zeros(rows.count)
    for level in SOURCE_LEVELS:
        hits, old_hits = rows.per_source(new, p <= level), rows.per_source(old, p <= level)
        own = (old_hits + PRIOR_ROWS * level) / (m + PRIOR_ROWS)
        usual = np.maximum(own, level)
        # Without trusted rows the rate was estimated on the other sources' rows.
        tail = excess_log_p(hits, np.maximum(n, 1), usual, len(old) or len(new))
        log_p = np.minimum(log_p, tail)
    present = n > 0
    log_p[present] = temper(np.minimum(log_p[present] + np.log(len(SOURCE_LEVELS)), 0.0))
    return np.asarray(np.where(present, np.clip(np.exp(log_p), 1e-300, 1.0), 1.0))


def sure_within(log_p: float, chance: Floats, likely: Bools) -> Floats:
    """-log10 p of rows of a named group, each guilty with a chance of its own.

    No row is surer than its group. The less likely ones are ranked, above what nobody named,
    and stay too weak to be flagged.

    Args:
        log_p: natural logarithm of the group's p-value.
        chance: ``(n,)`` probability that the row is guilty, given that the group is.
        likely: ``(n,)`` rows that may be flagged.
    """
    strength = min(-log_p / np.log(10), STRONGEST)
    top = np.where(likely, strength, min(strength, RANKED))
    return np.asarray(np.maximum(top + np.log10(np.maximum(chance, 1e-12)), 0.0))


def wider_first(p: Sequence[float], rows: Sequence[frozenset[int]]) -> list[int]:
    """The order of some findings: smallest p first, but a wide group before its parts.

    A part of what was done is often the more surprising: the wives, where all women were
    relabelled, or a value, where a pair of values was the trigger. A group that holds nearly
    all of another's rows, and more, explains it and takes its place.

    Args:
        p: p-value, or its logarithm, of each.
        rows: its rows; none where it is no group.
    """
    place = list(p)
    for wide, whole in enumerate(rows):
        for part, inside in enumerate(rows):
            if 0 < len(inside) < len(whole) and len(inside & whole) >= WITHIN * len(inside):
                place[wide] = min(place[wide], p[part])
    return sorted(range(len(place)), key=lambda i: (place[i], -len(rows[i])))


@dataclass(frozen=True, slots=True, eq=False)
class SourceRows:
    """Whose rows they are.

    Attributes:
        source: ``(n,)`` source codes.
        units: ``(n,)`` content hash of each row.
        trusted: ``(n,)``.
        count: number of source codes.
    """

    source: Ints
    units: Ints
    trusted: Bools
    count: int

    def distinct(self, p: Floats, among: Bools) -> Ints:
        """Positions ``among`` which each (source, unit) stands once, with its smallest p."""
        rows = np.flatnonzero(among)
        rows = rows[np.lexsort((p[rows], self.units[rows], self.source[rows]))]
        fresh = np.ones(len(rows), dtype=bool)
        fresh[1:] = (self.source[rows][1:] != self.source[rows][:-1]) | (
            self.units[rows][1:] != self.units[rows][:-1]
        )
        return rows[fresh]

    def per_source(self, rows: Ints, hit: Bools | None = None) -> Ints:
        """``(count,)`` rows, or rows that are hit, of each source."""
        kept = rows if hit is None else rows[hit[rows]]
        return np.bincount(self.source[kept], minlength=self.count)


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
