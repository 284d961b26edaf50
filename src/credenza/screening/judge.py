"""Scores become p-values, e-values and suspect sources: against trusted rows, or without any."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from credenza.core.types import Role
from credenza.screening.calibrate import drift_factor, e_from_p, mondrian_p
from credenza.screening.disputes import disputes_of
from credenza.screening.features.label import classes_of, expected_of, labels_of
from credenza.screening.features.label_noise import LabelNoise
from credenza.screening.features.moved import moved_log_odds
from credenza.screening.features.table import columns_of, content_of, row_hash, source_codes
from credenza.screening.features.vector_labels import voted
from credenza.screening.fuse import SourceRows, average_e, reject_e, source_p

if TYPE_CHECKING:
    from collections.abc import Iterable

    from credenza.core.protocols import Detector
    from credenza.core.types import Bools, Floats, Ints, Scores, View
    from credenza.screening.disputes import Disputes
    from credenza.screening.features.label import Labels

QUORUM = 4
WEIGHTS = (0.9, 0.05, 0.05)
CLOSEST_P = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A detector's answer, and whether it read the labels."""

    detector: Detector
    scores: Scores

    @property
    def reads_label(self) -> bool:
        """Detectors that need a label judge the label; the others judge the content."""
        return Role.LABEL in self.detector.needs


@dataclass(frozen=True, slots=True, eq=False)
class Judgement:
    """What the detectors' scores amount to.

    Attributes:
        p_values: ``(n,)`` fused row p-values.
        e_values: ``(n,)`` fused row e-values.
        source_p: ``(s,)`` p-value of each source, in the order of ``names``.
        names: the sources.
        source: ``(n,)`` position of each row's source in ``names``.
        rejected: positions of the sources rejected by e-BH.
        drift: factor by which the typical source exceeds trusted rows, at least 1.
        disputes: what sources were rejected for, where there were no trusted rows.
    """

    p_values: Floats
    e_values: Floats
    source_p: Floats
    names: tuple[str, ...]
    source: Ints
    rejected: tuple[int, ...]
    drift: float = 1.0
    disputes: Disputes | None = None


def against_trusted(view: View, heard: Iterable[Heard], fdr: float) -> Judgement:
    """Rank every row among trusted rows of its class, and lift what all sources share.

    Args:
        view: rows under test beside enough trusted ones.
        heard: what the detectors said.
        fdr: expected share of false sources among those named.
    """
    n = view.table.num_rows
    classes = classes_of(view)
    p_by_detector = [mondrian_p(one.scores.values, view.trusted, classes) for one in heard]
    e_values = average_e(p_by_detector, n)
    fused = mondrian_p(e_values, view.trusted, classes) if p_by_detector else np.ones(n)
    source, names = source_codes(view)
    new = np.flatnonzero(~view.trusted)
    drift = drift_factor(fused[new], source[new])
    p_values = np.where(view.trusted, fused, np.minimum(fused * drift, 1.0))
    units = row_hash(content_of(view), n)
    by_source = source_p(p_values, SourceRows(source, units, view.trusted, len(names)))
    present = np.unique(source[new])
    rejected = tuple(present[reject_e(e_from_p(by_source[present]), fdr)].tolist())
    return Judgement(p_values, e_values, by_source, names, source, rejected, drift)


def among_themselves(view: View, heard: Iterable[Heard], fdr: float) -> Judgement:
    """Rank every row among the others, and let evidence with its own null stand above ranks.

    Without trusted rows a rank says who comes first and never that anybody is guilty:
    the smallest of n ranks is 1 / n whatever the rows are. So ranks order the rows, and
    only findings and the detectors' own p-values (``Scores.is_evidence``) flag any. Most
    poison must contradict its label to work, so the rank of the odds that the label was
    put on the row leads with weight .9; the detectors that judge the label share .05, as the
    mean of their normal scores, and those that judge the content the rest. Where there are
    at least four sources and labels, sources are tested by ``disputes_of``; what their
    rows are like names none, for every sender has a population of its own.

    Blind to what most rows do together.

    Args:
        view: rows under test; trusted rows are ranked like the others.
        heard: what the detectors said.
        fdr: expected share of false sources among those named.
    """
    n = view.table.num_rows
    source, names = source_codes(view)
    answers = list(heard)
    ranked = [one for one in answers if not one.scores.is_evidence]
    by_label = [one.scores.values for one in ranked if one.reads_label]
    by_content = [one.scores.values for one in ranked if not one.reads_label]
    families = [_ranks(values, n) for values in (surprise_of(view), by_label, by_content)]
    parts = [(w, p) for w, p in zip(WEIGHTS, families, strict=True) if p is not None]
    whole = sum(weight for weight, _ in parts)
    ranks_e = sum((weight / whole * e_from_p(p) for weight, p in parts), np.zeros(n))
    evidence = [
        np.maximum(10.0**-one.scores.values, CLOSEST_P) for one in answers if one.scores.is_evidence
    ]
    # Half of the weight each, so that the sum stays an e-value.
    e_values = 0.5 * (ranks_e if parts else np.ones(n)) + 0.5 * average_e(evidence, n)
    p_values = np.minimum(1.0, 1.0 / e_values)
    found = Judgement(p_values, e_values, np.ones(len(names)), names, source, ())
    if len(names) < QUORUM or view.expected is None:
        return found
    labels = labels_of(view)
    units = SourceRows(source, row_hash(content_of(view), n), view.trusted, len(names))
    disputes = disputes_of(
        expected_of(view, labels),
        labels.codes,
        source,
        units.distinct(p_values, ~view.trusted),
        len(names),
    )
    present = np.unique(source[~view.trusted])
    rejected = present[disputes.named(fdr)[present]]
    return replace(
        found, source_p=disputes.p_values, rejected=tuple(rejected.tolist()), disputes=disputes
    )


def _ranks(values: list[Floats], n: int) -> Floats | None:
    """``(n,)`` rank p-values of the mean normal score; None when there is nothing to rank."""
    speaking = [v for v in values if n and v.min() < v.max()]
    if not speaking:
        return None
    z = [-special.ndtri(_rank_p(v)) for v in speaking]
    return _rank_p(np.mean(z, axis=0))


def _rank_p(values: Floats) -> Floats:
    """Share of rows at least as high, ties at the middle of their ranks; in (0, 1)."""
    ordered = np.sort(values)
    above = len(values) - np.searchsorted(ordered, values, side="right")
    equal = np.searchsorted(ordered, values, side="right") - np.searchsorted(ordered, values)
    return np.asarray((above + (equal + 1) / 2) / (len(values) + 1))


def surprise_of(view: View) -> list[Floats]:
    """One score a row: the odds that its label was put on it; none where none is foretold.

    Where there are vectors, the odds by its neighbours alone are added, and those that it was
    moved: a row that stands where no label has any has no other that its own contradicts.
    """
    if view.expected is None:
        return []
    labels = labels_of(view)
    log_odds = _put_log_odds(expected_of(view, labels), labels)
    if columns_of(view, Role.EMBEDDING):
        by_neighbours = voted(view, labels.codes, len(labels.classes))
        log_odds = np.logaddexp(log_odds, _put_log_odds(by_neighbours, labels))
        log_odds = np.logaddexp(log_odds, moved_log_odds(view))
    return [log_odds]


def _put_log_odds(expected: Floats, labels: Labels) -> Floats:
    log_p = np.log(np.maximum(expected, CLOSEST_P))
    return LabelNoise.of(log_p, labels.codes).odds(labels.codes)


def q_values(e: Floats, tested: Bools) -> Floats:
    """Smallest false discovery rate at which e-BH rejects each row; 1 where not tested.

    Args:
        e: ``(n,)`` e-values.
        tested: ``(n,)`` rows under test.
    """
    found = np.ones(len(e))
    rows = np.flatnonzero(tested)
    order = rows[np.argsort(-e[rows], kind="stable")]
    at = len(rows) / (np.arange(1, len(rows) + 1) * np.maximum(e[order], 1e-300))
    found[order] = np.minimum(np.minimum.accumulate(at[::-1])[::-1], 1.0)
    return found
