"""Sources whose labels are disputed by the rows of all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from credenza.core.text import quote
from credenza.core.types import Finding, Unit
from credenza.screening.crowd import above_the_crowd
from credenza.screening.features.own_rates import at_own_rates
from credenza.screening.features.table import rows_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints

WRONG = 0.05
FLOOR = 0.02
MAX_CLASSES = 6
ANYBODY = 0.6
EACH = 0.1
SUREST = 0.05
LEAST_CHANCE = 0.003
DOUBTFUL = 0.1
FEWEST_ROWS = 10
FEWEST_SOURCES = 4
SMALLEST = 1e-9
MOST_CELLS = 20_000_000
LEAST_SKEW, MOST_SKEW = 0.01, 2.0
NO_ERROR = 4.75


@dataclass(frozen=True, slots=True, eq=False)
class Disputes:
    """How much each source's labels are disputed.

    Attributes:
        by_way: ``(w, s)`` p-value of each source for each way to relabel, 1 where its rows
            say too little.
        anybody: ``(w,)`` p-value of nobody relabelling in that way.
        doubtful: ``(n,)`` rows whose label the others' rows give at most one in ten.
        usual: share of such rows in the middle source.
    """

    by_way: Floats
    anybody: Floats
    doubtful: Bools
    usual: float

    @property
    def p_values(self) -> Floats:
        """``(s,)`` p-value of each source, whichever way it relabels."""
        return np.asarray(np.minimum(len(self.by_way) * self.by_way.min(axis=0), 1.0))

    def named(self, fdr: float) -> Bools:
        """``(s,)`` sources to name: that somebody relabels is settled first, then who.

        Both are chances, not shares of the named, for who is named is accused. Ways to
        relabel, and numbers of those who may act, see nearly the same labels, so their
        Bonferroni sum is asked for three fifths of ``fdr``; a source, for a tenth of it.
        """
        told = len(self.by_way) * self.anybody <= fdr * ANYBODY
        return np.asarray((self.by_way[told] <= fdr * EACH).any(axis=0))

    def finding(self, name: str, mine: Bools, p_value: float) -> Finding:
        """What is said of one source.

        Args:
            name: of the source.
            mine: ``(n,)`` its rows under test.
            p_value: its own.
        """
        rows, low = int(mine.sum()), mine & self.doubtful
        exhibits: dict[str, object] = {
            "source": name,
            "rows": rows,
            "doubtful": int(low.sum()),
            "usual_share": self.usual,
        }
        sentence = (
            f"{exhibits['doubtful']} of {rows} rows of {quote(name)} have a label that the rows "
            f"of other sources give less than {DOUBTFUL:.0%}, against {rows * self.usual:.0f} "
            f"in the middle source"
        )
        return Finding("rows", Unit.SOURCE, (name,), p_value, sentence, exhibits, rows_of(low))


def disputes_of(expected: Floats, codes: Ints, source: Ints, once: Ints, sources: int) -> Disputes:
    """Estimate each source's share of wrong labels, and test it against the crowd of sources.

    A row's evidence is the log likelihood ratio of one label in twenty being wrong, in any
    way, or in one: moved to a certain label. Probabilities are taken at the source's own
    label rates, and what these explain is taken out of the evidence, source by source, which
    leaves the contrast that relabelling makes and another share of a class does not: labels
    moved where the rest of the row is sure. The evidence's mean, variance and skewness, were
    the rows honest, and what a wrong label would add to it follow from the probabilities.
    So sources whose rows are hard to tell get a wide error and not a high estimate, and the
    guilty do not widen their own.

    Blind to relabelling of most of a class, to triggers, which learners that see other
    senders of them have learnt, to sources whose rows are too few or too hard, and as
    ``above_the_crowd`` is.

    Args:
        expected: ``(n, k)`` probabilities by learners that did not see the row's source.
        codes: ``(n,)`` label codes, -1 where unknown.
        source: ``(n,)`` source codes.
        once: rows under test, copies within a source once.
        sources: number of source codes.

    Source:
        One-step estimates from efficient scores, Neyman 1959: evidence less its projection
        on the nuisance; normal scores of skewed sums, Wilson and Hilferty 1931.
    """
    doubtful = np.zeros(len(codes), dtype=bool)
    rows = once[codes[once] >= 0]
    n = np.bincount(source[rows], minlength=sources)
    if expected.shape[1] < 2 or (n >= FEWEST_ROWS).sum() < FEWEST_SOURCES:
        return Disputes(np.ones((1, sources)), np.ones(1), doubtful, 0.0)
    # Wrong labels that honest sources have too do not grow rarer with a class.
    adjusted = np.maximum(at_own_rates(expected, codes, source), np.minimum(expected, FLOOR))
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    own = adjusted[np.arange(len(codes)), np.maximum(codes, 0)]
    doubtful = (own <= DOUBTFUL) & (codes >= 0)
    by_way, anybody = [], []
    for estimate, error in _wrong_labels(adjusted[rows], codes[rows], source[rows], sources):
        p_values, together = np.ones(sources), 1.0
        tested = np.flatnonzero((n >= FEWEST_ROWS) & (error <= 1.0))
        if len(tested) >= FEWEST_SOURCES:
            p_values[tested], together = above_the_crowd(estimate[tested], error[tested])
        by_way.append(p_values)
        anybody.append(together)
    share = np.bincount(source[rows], weights=doubtful[rows], minlength=sources) / np.maximum(n, 1)
    usual = float(np.median(share[n >= FEWEST_ROWS]))
    return Disputes(np.stack(by_way), np.array(anybody), doubtful, usual)


def _wrong_labels(
    p: Floats, codes: Ints, source: Ints, sources: int
) -> Iterator[tuple[Floats, Floats]]:
    """For each way to relabel, each source's share of wrong labels and its error."""
    at, k = np.arange(len(p)), p.shape[1]
    # Of very many sources and classes, what rates explain is asked of all sources at once.
    is_few = sources * k * k <= MOST_CELLS
    peer = source if is_few else np.zeros_like(source)

    def of_source(values: Floats) -> Floats:
        return np.bincount(source, weights=values, minlength=sources).astype(np.float64)

    def of_classes(values: Floats) -> Floats:
        peers = sources if is_few else 1
        by_class = [np.bincount(peer, weights=column, minlength=peers) for column in values.T]
        return np.stack(by_class, axis=1)

    own_rates = np.stack([of_classes(-p * p[:, [a]]) for a in range(k)], axis=1)
    own_rates[:, np.arange(k), np.arange(k)] += of_classes(p)
    inverse = np.linalg.pinv(own_rates, rcond=SMALLEST, hermitian=True)
    for evidence, moved in _ways(p):
        left = evidence - (p * evidence).sum(axis=1, keepdims=True)
        left -= np.einsum("sab,sb->sa", inverse, of_classes(p * left))[peer]
        left -= (p * left).sum(axis=1, keepdims=True)
        variance = np.maximum(of_source((p * left**2).sum(axis=1)), SMALLEST)
        skew = of_source((p * left**3).sum(axis=1)) / variance**1.5
        effect = np.maximum(of_source((moved * left).sum(axis=1)), SMALLEST)
        told = of_source(left[at, codes])
        seen = of_source(left[at, codes] ** 2)[variance > SMALLEST]
        # Probabilities are not quite right, which the middle source shows.
        scale = float(np.median(seen / variance[variance > SMALLEST])) if len(seen) else 1.0
        error = np.sqrt(variance * max(scale, SMALLEST)) / effect
        yield _unskewed(told / effect, error, skew), error


def _ways(p: Floats) -> Iterator[tuple[Floats, Floats]]:
    """Each way to relabel: evidence by row and label, and to which labels rows are moved.

    Learners that were taught by wrong labels foretell them at their usual rate of any row, so
    evidence is weighed as if the least chance of each label were none.
    """
    k = p.shape[1]
    sure = np.maximum(p - np.quantile(p, SUREST, axis=0), LEAST_CHANCE)
    sure /= sure.sum(axis=1, keepdims=True)
    yield np.log1p(WRONG * ((1.0 - sure) / (k - 1) / sure - 1.0)), (1.0 - p) / (k - 1)
    shares = p.mean(axis=0)
    for label in np.argsort(-shares, kind="stable")[:MAX_CLASSES]:
        share = min(0.5, WRONG / max(1.0 - shares[label], 1e-6))
        target = (np.arange(k) == label).astype(np.float64)[None, :]
        yield np.log1p(share * (target / sure - 1.0)), target


def _unskewed(estimate: Floats, error: Floats, skew: Floats) -> Floats:
    """Estimates whose heights above the middle are as rare as a normal error's would be.

    Contradictions are rare events, so few rows make sums of them that are skewed. Below
    the middle, where the tail is short, estimates stay as they are; of heights that errors
    reach less than once in a million the rest is no error and is kept.
    """
    middle = np.median(estimate)
    skew = np.clip(skew, LEAST_SKEW, MOST_SKEW)
    z = np.maximum(estimate - middle, 0.0) / error
    normal = 6.0 / skew * (np.cbrt(1.0 + skew * z / 2.0) - 1.0) + skew / 6.0
    highest = 2.0 / skew * ((1.0 + skew * (NO_ERROR - skew / 6.0) / 6.0) ** 3 - 1.0)
    height = np.where(z <= highest, np.minimum(normal, z), NO_ERROR + z - highest)
    return np.where(z > 0.0, middle + error * height, estimate)
