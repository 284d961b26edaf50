"""Sources whose labels are disputed by the rows of all others."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.core.text import quote
from credenza.core.types import Finding, Unit
from credenza.screening.features.own_rates import at_own_rates
from credenza.screening.features.table import rows_of
from credenza.screening.fuse import reject_p

if TYPE_CHECKING:
    from collections.abc import Iterator

    from credenza.core.types import Bools, Floats, Ints

WRONG = 0.05
FLOOR = 0.02
MAX_CLASSES = 6
ANYBODY = 0.04
ACCOMPLICE = 0.01
DOUBTFUL = 0.1
FEWEST_ROWS = 10
CALM = 0.75
EFFICIENCY = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Disputes:
    """How much each source's labels are disputed.

    Attributes:
        by_way: ``(w, s)`` p-value of each source for each way to relabel, 1 where it has
            too few rows.
        doubtful: ``(n,)`` rows whose label the others' rows give at most one in ten.
        usual: share of such rows in the middle source.
    """

    by_way: Floats
    doubtful: Bools
    usual: float

    @property
    def p_values(self) -> Floats:
        """``(s,)`` p-value of each source, whichever way it relabels."""
        return np.asarray(np.minimum(len(self.by_way) * self.by_way.min(axis=0), 1.0))

    def named(self, fdr: float) -> Bools:
        """``(s,)`` sources to name: the first for itself, others for doing the same.

        Honest data names anybody with a chance of a 25th of ``fdr``: a chance, not a
        share of the named, for who is named is accused. Once one source is named for
        one way to relabel, that way is no longer looked for among many, so its
        accomplices are asked for a p-value of a hundredth, in that way only.
        """
        found = np.zeros(self.by_way.shape[1], dtype=bool)
        for p in self.by_way:
            first = reject_p(np.minimum(len(self.by_way) * p, 1.0), fdr * ANYBODY)
            if first.any():
                found |= first | (p <= fdr * ACCOMPLICE)
        return found

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
    """Test each source's labels against what other sources' rows foretell, and the crowd.

    A row's evidence is the log likelihood ratio of one label in twenty being wrong, in any
    way, or in one: moved to a certain label. Its mean were the row honest is taken away, so
    that a source whose rows are hard is not disputed for it. Probabilities are taken at
    the source's own label rates, and what those rates explain is taken out of the evidence
    too, which leaves the contrast that relabelling makes and another share of a class
    does not: labels moved where the rest of the row is sure. A source's mean is compared
    with the middle of all sources, by counting noise and by how much honest sources differ
    among themselves: that is read from the calmer three quarters, so up to a quarter of
    them may act. What is learnt from a few sources about their differences is little, and
    they are skewed, which both widen the tail.

    Blind to a source that is alone in having honest labels of another quality, which looks
    the same, to relabelling of most of a class, to triggers, which learners that see other
    senders of them have learnt, and to what most sources do.

    Args:
        expected: ``(n, k)`` probabilities by learners that did not see the row's source.
        codes: ``(n,)`` label codes, -1 where unknown.
        source: ``(n,)`` source codes.
        once: rows under test, copies within a source once.
        sources: number of source codes.

    Source:
        Efficient scores, Neyman 1959: evidence less its projection on the nuisance.
    """
    doubtful = np.zeros(len(codes), dtype=bool)
    rows = once[codes[once] >= 0]
    n = np.bincount(source[rows], minlength=sources)
    tested = np.flatnonzero(n >= FEWEST_ROWS)
    if expected.shape[1] < 2 or len(tested) < 2:
        return Disputes(np.ones((1, sources)), doubtful, 0.0)
    # Wrong labels that honest sources have too do not grow rarer with a class.
    adjusted = np.maximum(at_own_rates(expected, codes, source), np.minimum(expected, FLOOR))
    adjusted /= adjusted.sum(axis=1, keepdims=True)
    own = adjusted[np.arange(len(codes)), np.maximum(codes, 0)]
    doubtful = (own <= DOUBTFUL) & (codes >= 0)
    by_way = []
    for evidence in _evidence(adjusted[rows], codes[rows]):
        p_values = np.ones(sources)
        p_values[tested] = _against_the_crowd(evidence, source[rows], sources)[tested]
        by_way.append(np.clip(p_values, 1e-300, 1.0))
    share = np.bincount(source[rows], weights=doubtful[rows], minlength=sources)[tested] / n[tested]
    return Disputes(np.stack(by_way), doubtful, float(np.median(share)))


def _evidence(p: Floats, codes: Ints) -> Iterator[Floats]:
    """For each way to relabel, the log likelihood ratio less what is expected and explained."""
    k = p.shape[1]
    at = np.arange(len(p))
    residual = -p
    residual[at, codes] += 1.0
    weight = np.linalg.pinv(residual.T @ residual)
    shares = p.mean(axis=0)
    ways = [np.log1p(WRONG * ((1.0 - p) / (k - 1) / np.maximum(p, 1e-6) - 1.0))]
    for label in np.argsort(-shares, kind="stable")[:MAX_CLASSES]:
        moved = min(0.5, WRONG / max(1.0 - shares[label], 1e-6))
        way = np.full_like(p, np.log1p(-moved))
        own = p[:, label]
        way[:, label] = np.log1p(moved * (1.0 - own) / np.maximum(own, 1e-6))
        ways.append(way)
    for way in ways:
        surprise = way[at, codes] - (p * way).sum(axis=1)
        yield surprise - residual @ (weight @ (residual.T @ surprise))


def _against_the_crowd(evidence: Floats, source: Ints, sources: int) -> Floats:
    """``(s,)`` p-value of each source's mean; of those with rows enough, that is."""
    n = np.bincount(source, minlength=sources)
    tested = np.flatnonzero(n >= FEWEST_ROWS)
    n = n[tested]
    mean = np.bincount(source, weights=evidence, minlength=sources)[tested] / n
    squares = np.bincount(source, weights=evidence**2, minlength=sources)[tested] / n
    noise = float(np.median(squares - mean**2)) / n
    middle, spread = _crowd(mean, noise)
    third = float(np.mean((evidence - evidence.mean()) ** 3)) / n**2
    p_values = np.ones(sources)
    p_values[tested] = _tail(mean - middle, noise, spread, third, len(tested))
    return p_values


def _tail(gap: Floats, noise: Floats, spread: float, third: Floats, sources: int) -> Floats:
    """Chance of so large a gap: the weaker of a heavy tail and of a skewed one.

    Student's t makes up for a spread that few sources show. A gamma tail makes up for
    skewness: contradictions are rare events, and honest shares of wrong labels differ
    as an exponential distribution does, whose third cumulant is 2 spread^1.5.
    """
    variance = np.maximum(noise + spread, 1e-18)
    z = gap / np.sqrt(variance)
    freedom = EFFICIENCY * (sources - 1) * (variance / max(spread, 1e-18)) ** 2
    skew = np.clip((third + 2.0 * spread**1.5) / variance**1.5, 0.01, 2.0)
    shape = 4.0 / skew**2
    skewed = stats.gamma.sf(np.maximum(shape + 2.0 * z / skew, 0.0), shape)
    return np.asarray(np.maximum(stats.t.sf(z, np.minimum(freedom, 1e6)), skewed))


def _crowd(mean: Floats, noise: Floats) -> tuple[float, float]:
    """Middle and variance between sources, by the likelihood of the calmer three quarters.

    Of the others only this much counts, that they lie above: whoever acts there cannot
    widen or move the crowd, and honest ones are not forgotten either.
    """
    from scipy import optimize  # noqa: PLC0415 - heavy

    cut = float(np.quantile(mean, CALM))
    calm = mean <= cut
    scale = float(np.sqrt(np.median(noise))) + 1e-9

    def loss(at: Floats) -> float:
        sd = np.sqrt(noise + (scale * at[1]) ** 2)
        z = (np.where(calm, mean, cut) - scale * at[0]) / sd
        said = np.where(calm, stats.norm.logpdf(z) - np.log(sd), stats.norm.logsf(z))
        return -float(said.sum())

    start = np.array([np.median(mean) / scale, 0.5])
    best = optimize.minimize(loss, start, method="Nelder-Mead").x
    return float(best[0]) * scale, float(best[1] * scale) ** 2
