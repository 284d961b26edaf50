"""What a row's label should be by everything but the feature in question."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy import special

from credenza.core.types import Role
from credenza.screening.features.grams import Grams, grams_of
from credenza.screening.features.table import coded_columns, columns_of

if TYPE_CHECKING:
    import numpy.typing as npt

    from credenza.core.types import Bools, Floats, Ints, View
    from credenza.screening.features.candidates import Candidates
    from credenza.screening.features.table import Coded

SMOOTH = 0.5
PRIOR_ROWS = 2.0
PLATT_STEPS = 25


@dataclass(frozen=True, slots=True, eq=False)
class ColumnPart:
    """What one column's values say of a label.

    Attributes:
        codes: ``(n,)`` of the values.
        has: ``(n,)`` 0 where the row has another label, 1 where this one, 2 where none.
        weights: ``(size, 3)`` log-likelihood ratios by both, without the row itself.
    """

    codes: Ints
    has: npt.NDArray[np.int8]
    weights: Floats

    @classmethod
    def of(cls, coded: Coded, has: npt.NDArray[np.int8], rows: tuple[float, float]) -> ColumnPart:
        """Count every value with and without the label."""
        counts = np.bincount(coded.codes * 3 + has, minlength=3 * coded.size).reshape(-1, 3)
        without, labelled = counts[:, :1] - [1, 0, 0], counts[:, 1:2] - [0, 1, 0]
        return cls(coded.codes, has, _ratio(labelled, without, rows))

    def evidence(self, rows: npt.NDArray[np.integer] | slice) -> Floats:
        """``(r,)`` the column's part in the log odds of some rows."""
        return np.asarray(self.weights[self.codes[rows], self.has[rows]])


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """Naive-Bayes evidence for one label, as a sum that any feature can be taken out of.

    Each column's value and each word adds its log-likelihood ratio, counted without the
    row itself. Columns depend on one another, so the sum is overconfident; a fitted slope
    brings it back to probabilities. Weak on purpose: it knows no interactions, so it
    cannot have learnt a trigger made of two columns, and taking both columns out makes
    it forget one that was made of either.

    Attributes:
        own: ``(n,)`` 1 where the row has the label.
        total: ``(n,)`` log odds.
        by_column: part of each table column.
        by_gram: ``(g,)`` weight of each gram of each text column.
        slope: factor from the sum to calibrated log odds.
        offset: their offset.
        counts: ``(g, 2)`` rows without and with the label that carry each gram.
        rows: rows without and with the label.
    """

    own: Floats
    total: Floats
    by_column: dict[str, ColumnPart]
    by_gram: dict[str, Floats]
    slope: float
    offset: float
    counts: dict[str, Floats]
    rows: tuple[float, float]

    @classmethod
    def of(cls, known: Bools, own: Floats, columns: list[Coded], texts: list[Grams]) -> Context:
        """Count every value and gram with and without the label.

        Args:
            known: ``(n,)`` rows whose label is known.
            own: ``(n,)`` 1 where the row has the label.
            columns: the table's columns as codes.
            texts: the text columns as grams.
        """
        rows = (float(((1 - own) * known).sum()), float((own * known).sum()))
        has = np.where(known, own > 0, 2).astype(np.int8)
        by_column = {c.column: ColumnPart.of(c, has, rows) for c in columns}
        total = np.zeros(len(own), dtype=np.float64)
        for part in by_column.values():
            total += part.evidence(slice(None))
        by_gram, counts = {}, {}
        both = np.stack([(1 - own) * known, own * known], axis=1).astype(np.float32)
        for text in texts:
            count = np.asarray(text.matrix.T @ both, dtype=np.float64)
            weight = _ratio(count[:, 1], count[:, 0], rows)
            without_positive = _ratio(count[:, 1] - 1, count[:, 0], (rows[0], rows[1] - 1))
            without_negative = _ratio(count[:, 1], count[:, 0] - 1, (rows[0] - 1, rows[1]))
            # A row counts for neither side when its own words are weighed.
            total += np.where(
                own > 0, text.matrix @ without_positive, text.matrix @ without_negative
            )
            by_gram[text.column], counts[text.column] = weight, count
        slope, offset = _calibrated(total[known], own[known])
        return cls(own, total, by_column, by_gram, slope, offset, counts, rows)

    def probability(self, log_odds: Floats) -> Floats:
        """Calibrated probability of the label."""
        return np.asarray(special.expit(self.offset + self.slope * log_odds))

    @property
    def whole(self) -> Floats:
        """``(n,)`` probability of the label by everything."""
        return self.probability(self.total)

    def foretold(self, candidates: Candidates) -> Floats:
        """``(t,)`` probability of the label for each entry, without the feature itself.

        What the halves of a pair say where they stand apart is no part of the feature: it
        is put back where it speaks for the label, or every value that matters would make
        triggers of its pairs with values that do not.
        """
        left = self.total[candidates.rows]
        for part in candidates.parts:
            if part.is_sparse:
                left = left - self.by_gram[part.column][part.original[candidates.codes]]
            elif part.column in self.by_column:
                left = left - self.by_column[part.column].evidence(candidates.rows)
        if len(candidates.parts) > 1:
            left = left + self._apart(candidates)[candidates.codes]
        return self.probability(left)

    def _apart(self, pairs: Candidates) -> Floats:
        """``(size,)`` evidence of both halves of each pair, from pairs they are in with others."""
        with_label = np.bincount(pairs.codes, weights=self.own[pairs.rows], minlength=pairs.size)
        without = np.bincount(pairs.codes, minlength=pairs.size) - with_label
        share = self.rows[1] / max(sum(self.rows), 1.0)
        base = np.clip(share, 1e-6, 1 - 1e-6)
        found = np.zeros(pairs.size)
        for part, half in zip(pairs.parts, pairs.halves(np.arange(pairs.size)), strict=True):
            positive, negative = (
                np.bincount(half, weights=count, minlength=part.size)[half] - count
                for count in (with_label, without)
            )
            # Nothing known is no evidence, whatever the label's share.
            odds = (positive + PRIOR_ROWS * base) / (negative + PRIOR_ROWS * (1 - base))
            found += np.log(odds * (1 - base) / base)
        return np.maximum(found, 0.0)

    def leaving_out_payload(self, texts: list[Grams], rows: Ints, share: float) -> Floats:
        """``(r,)`` probability of the label for rows that share a payload, without it.

        The rows are taken out of every count, and grams that at least ``share`` of them
        carry are taken out of the rows.
        """
        left = self.total[rows].copy()
        positive = self.own[rows] > 0
        n0, n1 = self.rows
        for text in texts:
            bag = text.matrix[rows]
            mine = np.bincount(bag.indices, minlength=bag.shape[1])
            used = np.flatnonzero(mine)
            bag, mine = bag[:, used], mine[used]
            with_label = np.asarray(bag.T @ self.own[rows]).ravel()
            without, with_ = self.counts[text.column][used].T
            taken = (n0 - float((~positive).sum()), n1 - float(positive.sum()))
            weight = _ratio(with_ - with_label, without - (mine - with_label), taken)
            weight[mine >= share * len(rows)] = 0.0
            was_positive = bag @ _ratio(with_ - 1, without, (n0, n1 - 1))
            was_negative = bag @ _ratio(with_, without - 1, (n0 - 1, n1))
            left += bag @ weight - np.where(positive, was_positive, was_negative)
        return self.probability(left)


def parts_of(view: View) -> tuple[list[Coded], list[Grams]]:
    """What contexts are made of: table columns as codes, text columns as grams."""
    return coded_columns(view), [grams_of(view, name) for name in columns_of(view, Role.TEXT)]


def _ratio(positive: Any, negative: Any, rows: tuple[float, float]) -> Floats:  # noqa: ANN401 - arrays
    with_label = (np.maximum(positive, 0) + SMOOTH) / (max(rows[1], 1.0) + 2 * SMOOTH)
    without = (np.maximum(negative, 0) + SMOOTH) / (max(rows[0], 1.0) + 2 * SMOOTH)
    return np.asarray(np.log(with_label / without), dtype=np.float64)


def _calibrated(score: Floats, own: Floats) -> tuple[float, float]:
    """Slope and offset of a logistic regression on one score, by Newton's method."""
    slope, offset = 0.5, 0.0
    scale = float(score.std()) or 1.0
    x = score / scale
    for _ in range(PLATT_STEPS):
        p = special.expit(offset + slope * x)
        gradient = np.array([((own - p) * x).sum() - slope, (own - p).sum()])
        v = p * (1 - p) + 1e-9
        hessian = np.array([[(v * x * x).sum() + 1.0, (v * x).sum()], [(v * x).sum(), v.sum()]])
        step = np.linalg.solve(hessian, gradient)
        step = np.clip(step, -1.0, 1.0)
        slope, offset = float(slope + step[0]), float(offset + step[1])
        if np.abs(step).max() < 1e-6:
            break
    return max(slope, 0.0) / scale, offset
