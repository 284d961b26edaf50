"""Columns of one source that left the values trusted rows have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import stats

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.profiling.distances import (
    classifier_accuracy,
    greatest_distance,
    jensen_shannon,
    mean_discrepancy,
    stability_index,
)
from credenza.screening.features.table import coded_columns, rows_of, source_codes
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints, View
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
        ratio: ``(size,)`` share in the window over the usual share, by code.
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
    ratio: Floats
    log_p: float


@dataclass(frozen=True, slots=True)
class ColumnDrift:
    """Sources whose columns moved more than the other sources' did.

    Numbers are compared over quantile ranges, categories over values, each source with
    its own trusted rows, filled up with everyone's. The G statistic is divided by what
    the median source shows in the same column and window, so that a season, which
    moves all, names none. Findings carry PSI, KS (total variation for categories),
    Jensen-Shannon, MMD and the accuracy of a classifier two-sample test.

    Blind to changes of the joint distribution that leave every column alone, to labels
    (other detectors read them), and to slow ramps.

    Attributes:
        fdr: expected share of false (column, source) pairs among those named.
        min_rows: fewest rows of a source under test.
        min_psi: drifts smaller than this are never named, however sure.
        max_findings: drifts named at most.

    Source:
        G-test; PSI as in credit scoring; the division is Devlin and Roeder's genomic
        control (1999) across sources.
    """

    fdr: float = 0.01
    min_rows: int = 30
    min_psi: float = 0.25
    max_findings: int = 10

    @property
    def name(self) -> str:
        """The detector's name."""
        return "column-drift"

    @property
    def needs(self) -> frozenset[Role]:
        """No role: number and category columns are compared where there are any."""
        return frozenset()

    def score(self, view: View) -> Scores:
        """Zeros: drift speaks of sources, in its findings, and says nothing of a single row."""
        values = np.zeros(view.table.num_rows)
        if not view.trusted.any() or view.trusted.all():
            return Scores(values)
        source, names = source_codes(view)
        drifts = [
            drift
            for coded in coded_columns(view)
            for drift in self._drifts(view, coded, source, len(names))
        ]
        log_p = np.array([drift.log_p for drift in drifts])
        rejected = reject_log_p(log_p, self.fdr, len(drifts))
        findings = []
        for drift, is_in in zip(drifts, rejected, strict=True):
            if is_in and drift.psi >= self.min_psi:
                here = (source == drift.source) & ~view.trusted
                findings.append(self._finding(drift, names, here))
        findings.sort(key=lambda f: (f.p_value, -float(str(f.exhibits["psi"]))))
        return Scores(values, tuple(findings[: self.max_findings]))

    def _drifts(self, view: View, coded: Coded, source: Ints, sources: int) -> list[Drift]:
        joint = source * coded.size + coded.codes
        shape = (sources, coded.size)
        new = np.bincount(joint[~view.trusted], minlength=sources * coded.size).reshape(shape)
        old = np.bincount(joint[view.trusted], minlength=sources * coded.size).reshape(shape)
        cells = _merge_rare(old.sum(axis=0), new.sum(axis=0), is_ordered=coded.edges is not None)
        k = int(cells.max()) + 1
        merged_new = np.stack([np.bincount(cells, weights=row, minlength=k) for row in new])
        merged_old = np.stack([np.bincount(cells, weights=row, minlength=k) for row in old])
        everyone = (merged_old.sum(axis=0) + 0.5) / (merged_old.sum() + 0.5 * k)
        tested = np.flatnonzero(merged_new.sum(axis=1) >= self.min_rows)
        found = []
        for s in tested:
            usual = (merged_old[s] + PRIOR_ROWS * everyone) / (merged_old[s].sum() + PRIOR_ROWS)
            new_rows, old_rows = merged_new[s], float(merged_old[s].sum())
            found.append(
                _drift(
                    coded,
                    int(s),
                    cells=cells,
                    new=new_rows,
                    trusted=int(merged_old.sum()),
                    old_rows=old_rows,
                    usual=usual,
                )
            )
        excess = [drift.statistic / max(drift.freedom, 1) for drift in found]
        inflation = max(1.0, float(np.median(excess))) if len(found) >= 4 else 1.0
        return [_with_p(drift, inflation) for drift in found if drift.freedom > 0]

    def _finding(self, drift: Drift, names: tuple[str, ...], here: Any) -> Finding:  # noqa: ANN401 - a mask
        source = names[drift.source]
        most = int(np.argmax(drift.ratio))
        exhibits: dict[str, object] = {
            "column": drift.coded.column,
            "source": source,
            "rows": int(here.sum()),
            "psi": drift.psi,
            "distance": drift.ks,
            "jensen_shannon": drift.jensen_shannon,
            "mmd": drift.mmd,
            "classifier_accuracy": drift.accuracy,
            "most": drift.coded.describe(most),
            "times": float(drift.ratio[most]),
        }
        sentence = (
            f"{tick(drift.coded.column)} of {quote(source)} moved (PSI {drift.psi:.2f}, greatest "
            f"distance {drift.ks:.2f}, {exhibits['rows']} rows), more than other sources' did; "
            f"most of all {exhibits['most']}, {drift.ratio[most]:.1f} times as frequent"
        )
        p_value = float(max(np.exp(drift.log_p), 1e-300))
        return Finding(
            self.name, Unit.SOURCE, (source,), p_value, sentence, exhibits, rows_of(here)
        )


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
    new: Floats,
    trusted: int,
    old_rows: float,
    usual: Floats,
) -> Drift:
    n = new.sum()
    # Smoothed towards the usual shares, so that cells nobody fills do not count.
    share = (new + PRIOR_ROWS / 10 * usual) / (n + PRIOR_ROWS / 10)
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(new > 0, new * np.log(new / (n * usual)), 0.0)
    # The usual shares are themselves an estimate: two samples, not one.
    g = 2.0 * float(terms.sum()) / (1.0 + n / (old_rows + PRIOR_ROWS))
    is_ordered = coded.edges is not None
    freedom = int((n * usual >= 1).sum()) - 1
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
        ratio=(share / usual)[cells],
        log_p=0.0,
    )


def _with_p(drift: Drift, inflation: float) -> Drift:
    log_p = float(stats.chi2.logsf(max(drift.statistic, 0.0) / inflation, drift.freedom))
    return replace(drift, log_p=log_p)
