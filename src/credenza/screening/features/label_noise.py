"""Labels that were put on rows: how sure the foretold labels are, and how many were put."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import optimize, special

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints

ROUNDS = 40
SHARPEST = 4.0
BLUNTEST = 0.02
FIRST_GUESS = 0.05
RIDGE = 1e-4
EXCESS = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class LabelNoise:
    """Labels as a mixture: most come from what the row shows, some were put on it.

    Attributes:
        log_p: ``(n, k)`` log probabilities of the labels that come from the row, as sharp as
            the data bear out.
        put: ``(k,)`` share of all rows on which each label was put.
    """

    log_p: Floats
    put: Floats

    @classmethod
    def of(cls, log_odds: Floats, codes: Ints) -> LabelNoise:
        """The mixture of greatest likelihood.

        Learners are too sure or not sure enough, and the floor that flipped labels lay
        under every probability looks like the second. So the sharpness of the foretold
        labels and the share that was put are fitted together; for one sharpness the
        likelihood of the shares is concave, so that expectation and maximisation finds
        its top from anywhere. Blind where labels are put where they would be anyway.

        Args:
            log_odds: ``(n, k)`` foretold log probabilities, up to a constant a row.
            codes: ``(n,)`` label codes, -1 where missing.

        Complexity:
            O(n · k) a step, a few hundred steps.
        """
        known = np.flatnonzero(codes >= 0)
        n, k = log_odds.shape
        if not len(known) or k < 2:
            return cls(special.log_softmax(log_odds, axis=1), np.full(k, 1 / max(n, 1)))
        own = codes[known]

        def fitted(log_sharpness: float) -> tuple[float, Floats]:
            log_p = special.log_softmax(np.exp(log_sharpness) * log_odds[known], axis=1)
            return _mixed(np.exp(log_p[np.arange(len(own)), own]), own, k)

        best = optimize.minimize_scalar(
            lambda at: -fitted(at)[0],
            bounds=(np.log(BLUNTEST), np.log(SHARPEST)),
            method="bounded",
            options={"xatol": 0.05},
        ).x
        log_p = special.log_softmax(np.exp(best) * log_odds, axis=1)
        return cls(log_p, fitted(best)[1])

    def odds(self, codes: Ints) -> Floats:
        """``(n,)`` log odds that a row's label was put on it, the lowest where it is missing.

        Where labels are put at all, each is as likely as another, but that a targeted attack
        puts one: contradictions of a label weigh more where it is put more than twice as
        often as the median label, for its size.
        """
        known = codes[codes >= 0]
        size = np.bincount(known, minlength=len(self.put)) / max(len(known), 1)
        share = self.put / np.maximum(size, 1e-12)
        usual = EXCESS * np.median(share[size > 0]) if len(known) else np.inf
        excess = np.log(np.maximum(share / usual, 1.0))
        at = np.maximum(codes, 0)
        whole = float(np.clip(self.put.sum(), 1e-9, 1.0 - 1e-9))
        prior = np.log(whole / (1.0 - whole) / len(self.put))
        found = prior + excess[at] - self.log_p[np.arange(len(codes)), at]
        return np.asarray(np.where(codes < 0, found.min(initial=0.0), found))


def _mixed(own_p: Floats, own: Ints, classes: int) -> tuple[float, Floats]:
    """Mean log likelihood, and the share of rows on which each label was put."""
    put = np.full(classes, FIRST_GUESS / classes)
    for _ in range(ROUNDS):
        share = put[own] / (put[own] + (1 - put.sum()) * own_p)
        # One row in twice as many as there are: no label is never put.
        put = (np.bincount(own, share, minlength=classes) + 0.5 / classes) / (len(own) + 1)
    return float(np.log(put[own] + (1 - put.sum()) * own_p).mean()), put


def discriminated(scores: Floats, codes: Ints, fold: Ints) -> Floats:
    """``(n, k)`` log odds of each label by the scores a learner gave, out of fold.

    A linear learner's scores rank the labels of a row, and not how sure it may be of them: a
    bag with a score of .1 for "boot" is less of a boot than a sandal is. Scores of the rows
    of one label scatter about their mean, and their common covariance tells a wrong label
    from a usual confusion. Fitted twice, the second time without the rows whose label is
    not their likeliest, so that poison does not widen what it is measured by.

    Args:
        scores: ``(n, k)``, of learners that had not seen the row.
        codes: ``(n,)`` label codes, -1 where missing.
        fold: ``(n,)`` of each row.

    Complexity:
        O(n · k²).

    Source:
        Fisher's discriminant on stacked scores (Wolpert 1992); trimming as in Northcutt
        et al., arXiv:1911.00068.
    """
    found = np.zeros(scores.shape)
    for part in np.unique(fold):
        taught = np.flatnonzero((codes >= 0) & (fold != part))
        first = _discriminant(scores[taught], scores[taught], codes[taught])
        taught = taught[first.argmax(axis=1) == codes[taught]]
        here = fold == part
        found[here] = _discriminant(scores[here], scores[taught], codes[taught])
    return found


def _discriminant(asked: Floats, scores: Floats, codes: Ints) -> Floats:
    """``(m, k)`` log odds of ``(m, k)`` scores, up to a constant a row, by taught ones."""
    k = asked.shape[1]
    size = np.bincount(codes, minlength=k)
    middle = scores.mean(axis=0) if len(scores) else np.zeros(k)
    centred = scores - middle
    total = np.zeros((k, k))
    np.add.at(total, codes, centred)
    mean = total / np.maximum(size, 1)[:, None]
    spread = (centred.T @ centred - total.T @ mean) / max(len(scores), 1)
    spread += (RIDGE * np.trace(spread) + 1e-12) * np.eye(k)
    weights = np.linalg.solve(spread, mean.T)
    share = (size + 0.5) / (size.sum() + 0.5 * k)
    return np.asarray(
        (asked - middle) @ weights - (mean.T * weights).sum(axis=0) / 2 + np.log(share)
    )
