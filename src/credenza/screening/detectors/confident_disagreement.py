"""Rows whose label contradicts a reference that is sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote
from credenza.core.types import Finding, Role, Scores, Unit
from credenza.screening.features.label import labels_of
from credenza.screening.features.table import rows_of, source_codes
from credenza.screening.fuse import excess_log_p, reject_log_p, temper

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, View

SURE = 0.9


@dataclass(frozen=True, slots=True)
class ConfidentDisagreement:
    """The trusted model's probability that the label is another one.

    A flipped label moves the mean residual of a source little, but the rows that the
    model was sure of are few, and flips are concentrated there: on flights the rate of
    rows that contradict a reference at least .9 sure moves by 5 to 10 standard
    deviations. Blind to labels that agree with the reference (clean-label poison,
    triggers stamped on rows of the target class) and to flips where it is unsure.

    Attributes:
        fdr: expected share of false sources among those named.

    Source:
        DETECTION §3; the score is the self-confidence of Northcutt et al. 2021.
    """

    fdr: float = 0.01

    @property
    def name(self) -> str:
        """The detector's name."""
        return "confident-disagreement"

    @property
    def needs(self) -> frozenset[Role]:
        """A label."""
        return frozenset({Role.LABEL})

    def score(self, view: View) -> Scores:
        """1 - expected probability of the row's own label; 0 where the label is missing.

        Raises:
            ValueError: the view has no reference probabilities.
        """
        if view.expected is None:
            raise ValueError("the view has no expected label probabilities")
        labels = labels_of(view)
        extra = len(labels.classes) - view.expected.shape[1]
        expected = np.pad(np.asarray(view.expected, np.float64), ((0, 0), (0, extra)))
        values = np.clip(1.0 - labels.probability_of_own(expected), 0.0, 1.0)
        return Scores(values, self._sources(view, values))

    def _sources(self, view: View, values: Floats) -> tuple[Finding, ...]:
        source, names = source_codes(view)
        contradicts = values >= SURE
        new, old = ~view.trusted, view.trusted
        rows = np.bincount(source[new], minlength=len(names))
        hits = np.bincount(source[new], weights=contradicts[new], minlength=len(names))
        own_rows = np.bincount(source[old], minlength=len(names))
        own_hits = np.bincount(source[old], weights=contradicts[old], minlength=len(names))
        if old.sum() == 0 or rows.sum() == 0:
            return ()
        overall = contradicts[old].mean()
        # A window in which everyone contradicts more is drift, not a source.
        window = np.median((hits[rows > 0] + 0.5) / (rows[rows > 0] + 1.0))
        rate = (own_hits + 200 * overall) / (own_rows + 200)
        rate = np.clip(rate * max(1.0, window / max(overall, 1e-6)), 1e-4, 1.0)
        tested = np.flatnonzero(rows > 0)
        log_p = np.zeros(len(rows))
        log_p[tested] = temper(
            excess_log_p(hits[tested], rows[tested], rate[tested], int(old.sum()))
        )
        found = tested[reject_log_p(log_p[tested], self.fdr, len(tested))]
        return tuple(
            self._finding(
                (source == s) & new & contradicts,
                source=names[s],
                sent=int(rows[s]),
                rate=float(rate[s]),
                log_p=float(log_p[s]),
            )
            for s in found[np.argsort(log_p[found], kind="stable")]
        )

    def _finding(
        self, rows: Bools, *, source: str, sent: int, rate: float, log_p: float
    ) -> Finding:
        exhibits: dict[str, object] = {
            "source": source,
            "contradicting": int(rows.sum()),
            "rows": int(sent),
            "usual_rate": float(rate),
            "sure": SURE,
        }
        sentence = (
            f"{exhibits['contradicting']} of {sent} rows of {quote(source)} contradict a "
            f"reference that is at least {SURE:.0%} sure, against {rate:.1%} usually"
        )
        p_value = float(max(np.exp(log_p), 1e-300))
        return Finding(
            self.name, Unit.SOURCE, (source,), p_value, sentence, exhibits, rows_of(rows)
        )
