"""How far each column of each source is from what trusted rows have, measured and not judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.profiling.distances import (
    classifier_accuracy,
    greatest_distance,
    jensen_shannon,
    mean_discrepancy,
    stability_index,
)
from credenza.screening.features.table import coded_columns, source_codes

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.table import Coded

MIN_CELL = 5.0
MAX_CELLS = 64
PRIOR_ROWS = 100.0


@dataclass(frozen=True, slots=True, eq=False)
class Drift:
    """How one column of one source moved.

    Attributes:
        coded: the column.
        source: code of the source.
        statistic: G against the source's usual shares.
        freedom: degrees of freedom of G.
        psi: population stability index.
        ks: greatest distance of the distribution functions (numbers), or total
            variation (categories).
        jensen_shannon: distance in base 2.
        mmd: maximum mean discrepancy over the cells.
        accuracy: of a classifier that tells the source's rows from trusted ones by this
            column alone, .5 is chance; None with too few rows.
        most: code that grew most; of rare values, which are one cell, the one sent most.
        times: share of its cell in the window over the usual share, smoothed.
        is_new: no trusted row of any source has that code; ``times`` is then what smoothing
            made of nothing.
        log_p: natural logarithm of the p-value.
    """

    coded: Coded
    source: int
    statistic: float
    freedom: int
    psi: float
    ks: float
    jensen_shannon: float
    mmd: float
    accuracy: float | None
    most: int
    times: float
    is_new: bool
    log_p: float


def column_drifts(view: View, *, min_rows: int) -> list[Drift]:
    """Every number and category column of every source under test, beside trusted rows.

    Numbers are compared over quantile ranges, categories over values, each source with
    its own trusted rows, filled up with everyone's. G is divided by what the median source
    shows in the same column, so that a season, which moves all, makes no p-value small.

    Blind to texts, vectors and labels, to changes of the joint distribution that leave
    every column alone, and to what moves inside one cell. Columns of which the source has
    a single usual cell are left out: nothing can be said of them.

    Args:
        view: rows under test beside trusted ones; empty where either part is missing.
        min_rows: fewest rows of a source under test.

    Source:
        G-test; the division is Devlin and Roeder's genomic control (1999) across sources.
    """
    if not view.trusted.any() or view.trusted.all():
        return []
    source, names = source_codes(view)
    return [
        drift
        for coded in coded_columns(view)
        for drift in _drifts(view, coded, source, len(names), min_rows)
    ]


def _drifts(view: View, coded: Coded, source: Ints, sources: int, min_rows: int) -> list[Drift]:
    joint = source * coded.size + coded.codes
    shape = (sources, coded.size)
    new = np.bincount(joint[~view.trusted], minlength=sources * coded.size).reshape(shape)
    old = np.bincount(joint[view.trusted], minlength=sources * coded.size).reshape(shape)
    cells = _merge_rare(old.sum(axis=0), new.sum(axis=0), is_ordered=coded.edges is not None)
    k = int(cells.max()) + 1
    merged_old = np.stack([np.bincount(cells, weights=row, minlength=k) for row in old])
    everyone = (merged_old.sum(axis=0) + 0.5) / (merged_old.sum() + 0.5 * k)
    seen = old.sum(axis=0) > 0
    tested = np.flatnonzero(new.sum(axis=1) >= min_rows)
    found = []
    for s in tested:
        usual = (merged_old[s] + PRIOR_ROWS * everyone) / (merged_old[s].sum() + PRIOR_ROWS)
        old_rows = float(merged_old[s].sum())
        found.append(
            _drift(
                coded,
                int(s),
                cells=cells,
                sent=new[s],
                seen=seen,
                trusted=int(merged_old.sum()),
                old_rows=old_rows,
                usual=usual,
            )
        )
    excess = [drift.statistic / max(drift.freedom, 1) for drift in found]
    inflation = max(1.0, float(np.median(excess))) if len(found) >= 4 else 1.0
    return [_with_p(drift, inflation) for drift in found if drift.freedom > 0]


def _merge_rare(old: Ints, new: Ints, *, is_ordered: bool) -> Ints:
    """Cell of each code: the frequent codes keep their own, the others share the last."""
    if is_ordered:
        return np.arange(len(old), dtype=np.int64)
    weight = old + new
    frequent = np.argsort(-weight, kind="stable")[:MAX_CELLS]
    frequent = np.sort(frequent[weight[frequent] >= MIN_CELL])
    cells = np.full(len(old), len(frequent), dtype=np.int64)
    cells[frequent] = np.arange(len(frequent))
    return cells


def _drift(
    coded: Coded,
    source: int,
    *,
    cells: Ints,
    sent: Ints,
    seen: Bools,
    trusted: int,
    old_rows: float,
    usual: Floats,
) -> Drift:
    new = np.bincount(cells, weights=sent, minlength=len(usual)).astype(np.float64)
    n = new.sum()
    # Smoothed towards the usual shares, so that cells nobody fills do not count.
    share = (new + PRIOR_ROWS / 10 * usual) / (n + PRIOR_ROWS / 10)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(new > 0, new * np.log(new / (n * usual)), 0.0)
    # The usual shares are themselves an estimate: two samples, not one.
    g = 2.0 * float(terms.sum()) / (1.0 + n / (old_rows + PRIOR_ROWS))
    is_ordered = coded.edges is not None
    freedom = int((n * usual >= 1).sum()) - 1
    ratio = share / usual
    most = int(np.argmax(np.where(cells == np.argmax(ratio), sent, -1)))
    return Drift(
        coded,
        source,
        g,
        freedom,
        psi=stability_index(share, usual),
        ks=greatest_distance(new / n, usual, is_ordered=is_ordered),
        jensen_shannon=jensen_shannon(new / n, usual),
        mmd=mean_discrepancy(new / n, usual, is_ordered=is_ordered),
        accuracy=classifier_accuracy(new, trusted * usual),
        most=most,
        times=float(ratio.max()),
        is_new=not seen[most],
        log_p=0.0,
    )


def _with_p(drift: Drift, inflation: float) -> Drift:
    log_p = float(stats.chi2.logsf(max(drift.statistic, 0.0) / inflation, drift.freedom))
    return replace(drift, log_p=log_p)
