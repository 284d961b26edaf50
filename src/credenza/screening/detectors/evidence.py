"""Group statistics behind a named trigger: sums over carriers, and their tails."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats

from credenza.screening.fuse import reject_log_p

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.candidates import Candidates

MISFIT_SD = 0.05
PRIOR_ROWS = 20.0
PURE = 0.9
LEAST_EXCESS = 0.5
ONE_LABEL = 0.8
NOVEL = 20.0
NORMAL_975 = 1.96
CROWD = 4
COMMON = 0.3
COMMON_P = 0.001


@dataclass(frozen=True, slots=True, eq=False)
class Suspicion:
    """One feature x label whose p-value is small.

    Attributes:
        candidates: the features it is one of.
        code: which.
        label: code of the label that its carriers have too often.
        carried: rows under test that carry it.
        labelled: how many of them have the label.
        usual: share that should have it.
        trusted_carriers: trusted rows that carry it.
        test: "residual" or "novelty".
        log_p: natural logarithm of the p-value.
    """

    candidates: Candidates
    code: int
    label: int
    carried: int
    labelled: int
    usual: float
    trusted_carriers: int
    test: str
    log_p: float

    def name(self) -> str:
        """The feature in words."""
        return self.candidates.describe(self.code)

    def carriers(self) -> Bools:
        """``(n,)`` mask of the rows that carry it."""
        return self.candidates.carriers(self.code)

    def is_trigger(self) -> bool:
        """Whether its carriers have one label, so that most of those rows must be poison.

        A new feature had no honest carriers before; for others the rows with the label
        must be mostly rows that should not have it.
        """
        excess = (self.labelled - self.carried * self.usual) / max(self.labelled, 1)
        if self.test == "novelty":
            return self.labelled >= PURE * self.carried
        return self.labelled >= ONE_LABEL * self.carried and excess >= LEAST_EXCESS


@dataclass(frozen=True, slots=True, eq=False)
class Total:
    """Sums over carriers: row ``rows[i]`` carries feature ``at[i]`` of ``size``."""

    rows: Ints
    at: Ints
    size: int

    def count(self) -> Ints:
        """``(size,)`` carriers."""
        return np.bincount(self.at, minlength=self.size)

    def of(self, values: Floats) -> Floats:
        """``(size,)`` sum of ``values`` over the carriers."""
        return np.asarray(np.bincount(self.at, weights=values[self.rows], minlength=self.size))


@dataclass(frozen=True, slots=True, eq=False)
class Tally:
    """What the carriers of ``f`` features say about one label.

    Attributes:
        candidates: where the features come from.
        codes: ``(f,)`` which of them.
        label: code of the label.
        carried: ``(f,)`` carriers under test.
        trusted: ``(f,)`` trusted carriers.
        labelled: ``(f,)`` carriers under test with the label.
        expected: ``(f,)`` mean of what should have had it.
        z: ``(f,)`` standardised residual; positive = too often.
        novelty: ``(f,)`` log p of the novelty test.
        novelty_base: ``(f,)`` the share it was tested against.
    """

    candidates: Candidates
    codes: Ints
    label: int
    carried: Ints
    trusted: Ints
    labelled: Floats
    expected: Floats
    z: Floats
    novelty: Floats
    novelty_base: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Residuals of every row for each label under test.

    Attributes:
        own: ``(k, n)`` 1 where the row has the label.
        residual: ``(k, n)`` own - expected, centred over the rows under test and
            over the trusted rows.
        variance: ``(k, n)`` expected · (1 - expected).
        labels: ``(k,)`` label codes.
        trusted: ``(n,)``.
        base: ``(k,)`` share of each label.
    """

    own: Floats
    residual: Floats
    variance: Floats
    labels: tuple[int, ...]
    trusted: Bools
    base: Floats

    @classmethod
    def of(cls, codes: Ints, expected: Floats, trusted: Bools, max_classes: int) -> Evidence:
        """Prepare residuals; of many labels the ``max_classes`` most frequent are tested."""
        known = codes >= 0
        counts = np.bincount(codes[known], minlength=expected.shape[1])
        labels = np.argsort(-counts, kind="stable")[:max_classes]
        own = np.stack([(codes == c).astype(np.float64) for c in labels])
        p = np.clip(expected.T[labels], 0.01, 0.99)
        residual = np.where(known, own - p, 0.0)
        for rows in (known & ~trusted, known & trusted):
            if rows.any():
                residual[:, rows] -= residual[:, rows].mean(axis=1, keepdims=True)
        reference = known & trusted if (known & trusted).any() else known
        base = own[:, reference].mean(axis=1)
        return cls(own, residual, p * (1 - p), tuple(int(c) for c in labels), trusted, base)

    def tally(self, candidates: Candidates, min_carriers: int) -> list[Tally]:
        """Count the carriers of every feature that enough rows under test carry."""
        is_new = ~self.trusted[candidates.rows]
        counts = np.bincount(candidates.codes[is_new], minlength=candidates.size)
        codes = np.flatnonzero(counts >= min_carriers)
        if len(codes) == 0:
            return []
        place = np.full(candidates.size, -1, dtype=np.int64)
        place[codes] = np.arange(len(codes))
        at = place[candidates.codes]
        new = Total(candidates.rows[is_new & (at >= 0)], at[is_new & (at >= 0)], len(codes))
        old = Total(candidates.rows[~is_new & (at >= 0)], at[~is_new & (at >= 0)], len(codes))
        lean = candidates.lean()
        return [self._of_label(lean, codes, j, new, old) for j in range(len(self.labels))]

    def _of_label(
        self, candidates: Candidates, codes: Ints, j: int, new: Total, old: Total
    ) -> Tally:
        n, m = new.count(), old.count()
        labelled, residual = new.of(self.own[j]), new.of(self.residual[j])
        misfit = old.of(self.residual[j]) / (m + PRIOR_ROWS)
        spread = new.of(self.variance[j]) + n**2 * (
            old.of(self.variance[j]) / (m + PRIOR_ROWS) ** 2
            + MISFIT_SD**2 * PRIOR_ROWS / (m + PRIOR_ROWS)
        )
        z = (residual - n * misfit) / np.sqrt(np.maximum(spread, 1e-9))
        expected = np.clip((labelled - residual) / n + misfit, 0.0, 1.0)
        base = self._novelty_base(candidates, codes, j)
        novelty = self._novelty(n, m)
        label = self.labels[j]
        return Tally(candidates, codes, label, n, m, labelled, expected, z, novelty, base)

    def _novelty_base(self, candidates: Candidates, codes: Ints, j: int) -> Floats:
        """Share of the label that either half of a pair explains, among trusted rows."""
        base = np.full(len(codes), self.base[j])
        if len(candidates.parts) < 2:
            return base
        for part, half in zip(candidates.parts, candidates.halves(codes), strict=True):
            of_part = part.trusted_share(self.own[j], self.trusted, self.base[j], PRIOR_ROWS)
            base = np.maximum(base, of_part[half])
        return base

    def _novelty(self, n: Ints, m: Ints) -> Floats:
        """Log p of ``n`` carriers under test beside ``m`` trusted ones: both are one rate."""
        log_p = np.zeros(len(n))
        old = int(self.trusted.sum())
        new = len(self.trusted) - old
        if old:
            at = np.flatnonzero(n / new > NOVEL * (m + 1) / (old + 1))
            log_p[at] = stats.binom.logsf(n[at] - 1, n[at] + m[at], new / (new + old))
        return log_p

    def without(self, suspicion: Suspicion, explained: Bools) -> float:
        """Log p of a suspicion that must do without the rows that others explain."""
        rows = suspicion.carriers() & ~self.trusted & ~explained
        j = self.labels.index(suspicion.label)
        n, labelled = rows.sum(), self.own[j, rows].sum()
        if n == 0:
            return 0.0
        usual = suspicion.usual
        if suspicion.test == "residual":
            usual = np.clip(self.own[j, rows] - self.residual[j, rows], 0, 1).mean() + MISFIT_SD
        return float(stats.binom.logsf(labelled - 1, n, min(usual, 1.0)))

    def is_common(self, suspicion: Suspicion, source: Ints, min_carriers: int) -> bool:
        """Whether the excess is still there without the third of sources that show it most.

        Fewer than four sources give no crowd to compare with; then nothing is common.
        """
        tested = ~self.trusted
        crowd = len(np.unique(source[tested]))
        if crowd < CROWD:
            return False
        rows = np.flatnonzero(suspicion.carriers() & tested)
        j = self.labels.index(suspicion.label)
        own = self.own[j, rows]
        usual = suspicion.usual
        excess = np.bincount(source[rows], weights=own - usual)
        boldest = np.argsort(-excess, kind="stable")[: -(-crowd // 3)]
        rest = own[~np.isin(source[rows], boldest)]
        moved = own.mean() - usual
        return bool(len(rest) >= min_carriers and rest.mean() - usual > COMMON * moved)

    def explains(self, common: Suspicion, suspicion: Suspicion) -> bool:
        """Whether a suspicion is no more than its part of a common cause.

        Its carriers are compared with the common cause's other carriers.
        """
        inside = common.carriers() & ~self.trusted
        mine = suspicion.carriers() & ~self.trusted
        others = inside & ~mine
        if common.label != suspicion.label or not others.any():
            return False
        if 2 * (inside & mine).sum() < mine.sum():
            return False
        own = self.own[self.labels.index(suspicion.label)]
        usual = min(float(own[others].mean()) + MISFIT_SD, 1.0)
        return bool(stats.binom.sf(own[mine].sum() - 1, mine.sum(), usual) > COMMON_P)


def by_residual(tallies: list[Tally], fdr: float) -> list[Suspicion]:
    """Features whose labels are unlike what they should be, at a false discovery rate.

    z is divided by the spread of its bulk over all features, when that exceeds the
    normal's: a window in which every subgroup moved a little then names none. A binomial
    tail at the expected share, raised by the misfit, keeps small groups honest.
    """
    if not tallies:
        return []
    all_z = np.concatenate([tally.z for tally in tallies])
    low, high = np.quantile(all_z, [0.025, 0.975])
    scale = max(1.0, float(high - low) / (2 * NORMAL_975))
    found = []
    for tally in tallies:
        log_p = stats.norm.logsf(tally.z / scale)
        at = np.flatnonzero(log_p < np.log(fdr))
        share = np.minimum(tally.expected[at] + MISFIT_SD, 1.0)
        tail = stats.binom.logsf(tally.labelled[at] - 1, tally.carried[at], share)
        found += _suspicions(tally, at, "residual", np.maximum(log_p[at], tail))
    return _rejected(found, fdr, len(all_z))


def by_novelty(tallies: list[Tally], fdr: float) -> list[Suspicion]:
    """Features that are new against trusted rows, and have one label.

    Which features are new is settled first and without looking at labels (Bonferroni
    over all features), so that the labels of the few that are need little evidence.
    """
    if not tallies:
        return []
    tests = sum(len(tally.codes) for tally in tallies)
    found = []
    looked_at = 0
    for tally in tallies:
        new = np.flatnonzero(tally.novelty < np.log(fdr / tests))
        looked_at += len(new)
        base = np.minimum(tally.novelty_base[new], 0.99)
        log_p = stats.binom.logsf(tally.labelled[new] - 1, tally.carried[new], base)
        one = tally.labelled[new] >= PURE * tally.carried[new]
        found += _suspicions(tally, new[one], "novelty", log_p[one])
    return _rejected(found, fdr, looked_at)


def _rejected(found: list[Suspicion], fdr: float, tests: int) -> list[Suspicion]:
    log_p = np.array([suspicion.log_p for suspicion in found])
    kept = reject_log_p(log_p, fdr, tests)
    return [suspicion for suspicion, is_in in zip(found, kept, strict=True) if is_in]


def _suspicions(tally: Tally, at: Ints, test: str, log_p: Floats) -> list[Suspicion]:
    usual = tally.expected if test == "residual" else tally.novelty_base
    return [
        Suspicion(
            tally.candidates,
            int(tally.codes[i]),
            tally.label,
            int(tally.carried[i]),
            int(tally.labelled[i]),
            float(usual[i]),
            int(tally.trusted[i]),
            test,
            float(p),
        )
        for i, p in zip(at, log_p, strict=True)
    ]
