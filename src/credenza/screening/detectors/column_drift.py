"""Columns of one source that left the values trusted rows have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from credenza.core.text import quote, tick
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.column_drifts import column_drifts
from credenza.screening.features.table import rows_of, source_codes
from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from credenza.core.types import View
    from credenza.screening.features.column_drifts import Drift


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
        source, names = source_codes(view)
        drifts = column_drifts(view, min_rows=self.min_rows)
        log_p = np.array([drift.log_p for drift in drifts])
        rejected = reject_log_p(log_p, self.fdr, len(drifts))
        findings = []
        for drift, is_in in zip(drifts, rejected, strict=True):
            if is_in and drift.psi >= self.min_psi:
                here = (source == drift.source) & ~view.trusted
                findings.append(self._finding(drift, names, here))
        findings.sort(key=lambda f: (f.p_value, -float(str(f.exhibits["psi"]))))
        return Scores(values, tuple(findings[: self.max_findings]))

    def _finding(self, drift: Drift, names: tuple[str, ...], here: Any) -> Finding:  # noqa: ANN401 - a mask
        source = names[drift.source]
        exhibits: dict[str, object] = {
            "column": drift.coded.column,
            "source": source,
            "rows": int(here.sum()),
            "psi": drift.psi,
            "distance": drift.ks,
            "jensen_shannon": drift.jensen_shannon,
            "mmd": drift.mmd,
            "classifier_accuracy": drift.accuracy,
            "most": drift.coded.describe(drift.most),
            "times": drift.times,
            "is_new": drift.is_new,
        }
        grew = "never seen before" if drift.is_new else f"{drift.times:.1f} times as frequent"
        sentence = (
            f"{tick(drift.coded.column)} of {quote(source)} moved (PSI {drift.psi:.2f}, greatest "
            f"distance {drift.ks:.2f}, {exhibits['rows']} rows), more than other sources' did; "
            f"most of all {exhibits['most']}, {grew}"
        )
        p_value = float(max(np.exp(drift.log_p), 1e-300))
        return Finding(
            self.name, Unit.SOURCE, (source,), p_value, sentence, exhibits, rows_of(here)
        )
