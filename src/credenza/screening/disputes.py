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

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints

WRONG = 0.05
DOUBTFUL = 0.1
FEWEST_ROWS = 10
CALM = 0.75
EFFICIENCY = 0.6


@dataclass(frozen=True, slots=True, eq=False)
class Disputes:
    """How much each source's labels are disputed.

    Attributes:
        p_values: ``(s,)`` p-value of each source, 1 where it has too few rows.
        doubtful: ``(n,)`` rows whose label the others' rows give at most one in ten.
        usual: share of such rows in the middle source.
    """

    p_values: Floats
    doubtful: Bools
    usual: float

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

    A row's evidence is the log likelihood ratio of one label in twenty being wrong, less
    what it should be on average were the row honest, so that a source whose rows are hard
    is not disputed for it; probabilities are taken at the source's own label rates. A
    source's mean is compared with the middle of all sources, by counting noise and by
    how much honest sources differ among themselves: that is read from the calmer three quarters, so
    up to a quarter of them may act. What is learnt from a few sources about their
    differences is little, and they are skewed, which both widen the tail.

    Blind to a source that is alone in having honest labels of another quality, which looks
    the same, to relabelling of most of a class, and to what most sources do.

    Args:
        expected: ``(n, k)`` probabilities by learners that did not see the row's source.
        codes: ``(n,)`` label codes, -1 where unknown.
        source: ``(n,)`` source codes.
        once: rows under test, copies within a source once.
        sources: number of source codes.
    """
    doubtful = np.zeros(len(codes), dtype=bool)
    p_values = np.ones(sources)
    rows = once[codes[once] >= 0]
    n = np.bincount(source[rows], minlength=sources)
    tested = np.flatnonzero(n >= FEWEST_ROWS)
    if expected.shape[1] < 2 or len(tested) < 2:
        return Disputes(p_values, doubtful, 0.0)
    adjusted = at_own_rates(expected, codes, source)
    own = adjusted[np.arange(len(codes)), np.maximum(codes, 0)]
    doubtful = (own <= DOUBTFUL) & (codes >= 0)
    evidence = _evidence(adjusted[rows], codes[rows])
    mean = np.bincount(source[rows], weights=evidence, minlength=sources)[tested] / n[tested]
    squares = np.bincount(source[rows], weights=evidence**2, minlength=sources)[tested]
    noise = float(np.median(squares / n[tested] - mean**2)) / n[tested]
    middle, spread = _crowd(mean, noise)
    third = float(np.mean((evidence - evidence.mean()) ** 3)) / n[tested] ** 2
    p_values[tested] = _tail(mean - middle, noise, spread, third, len(tested))
    share = np.bincount(source[rows], weights=doubtful[rows], minlength=sources)[tested] / n[tested]
    return Disputes(np.clip(p_values, 1e-300, 1.0), doubtful, float(np.median(share)))


def _evidence(p: Floats, codes: Ints) -> Floats:
    """Log likelihood ratio of a wrong label, less its mean over the labels a row may have."""
    wrong = (1.0 - p) / (p.shape[1] - 1)
    ratio = np.log1p(WRONG * (wrong / np.maximum(p, 1e-6) - 1.0))
    return np.asarray(ratio[np.arange(len(p)), codes] - (p * ratio).sum(axis=1))


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
