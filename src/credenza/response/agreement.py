"""How far people agree beyond chance: Cohen's and Fleiss' kappa, Krippendorff's alpha."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from sklearn.metrics import cohen_kappa_score

if TYPE_CHECKING:
    from collections.abc import Sequence

    from credenza.core.types import Floats, Ints

LEAST_ITEMS = 20
LEAST_RATERS = 2
_DRAWS = 500


@dataclass(frozen=True, slots=True)
class Agreement:
    """Agreement of the raters on nominal labels.

    Attributes:
        kappa: Cohen's for two raters, Fleiss' for more; None when it is not defined.
        alpha: Krippendorff's; None when it is not defined.
        low, high: a 95 % interval of alpha, by drawing items anew.
        too_few: why none of this can be relied on; "" when it can.
    """

    items: int
    raters: int
    kappa: float | None
    alpha: float | None
    low: float | None
    high: float | None
    too_few: str

    @property
    def sentence(self) -> str:
        """In words."""
        who = f"{self.raters} people on {self.items} items"
        if self.alpha is None:
            return f"{who}: agreement beyond chance is not defined; {self.too_few}".rstrip("; ")
        kappa = "" if self.kappa is None else f"kappa {self.kappa:.2f}, "
        told = f"{who}: {kappa}alpha {self.alpha:.2f} ({self.low:.2f} to {self.high:.2f})"
        return f"{told}; {self.too_few}".rstrip("; ")


def agreement(labels: Sequence[Sequence[str]], *, seed: int = 0) -> Agreement:
    """Agreement on items that every rater labelled.

    All three correct for what chance agreement would be, and all three are unstable when one
    label has nearly everything: high raw agreement may then come with a kappa near 0.

    Args:
        labels: raters by items, complete.
        seed: of the draws behind the interval.

    Source:
        Cohen 1960; Fleiss 1971; Krippendorff, Content Analysis, chapter 11 (nominal).
    """
    raters, items = len(labels), len(labels[0]) if labels else 0
    few = ""
    if raters < LEAST_RATERS:
        few = f"{raters} people are too few to agree: {LEAST_RATERS} are the least"
    elif items < LEAST_ITEMS:
        few = f"{items} items are too few: {LEAST_ITEMS} are the least"
    if raters < LEAST_RATERS or not items:
        return Agreement(items, raters, None, None, None, None, few)
    names = sorted({label for row in labels for label in row})
    codes = np.array([[names.index(label) for label in row] for row in labels])
    counts = np.stack([(codes == code).sum(axis=0) for code in range(len(names))], axis=1)
    alpha = _alpha(counts)
    rng = np.random.default_rng(seed)
    drawn = [_alpha(counts[rng.integers(0, items, items)]) for _ in range(_DRAWS)]
    known = [one for one in drawn if one is not None]
    low, high = np.quantile(known, [0.025, 0.975]) if known and alpha is not None else (None, None)
    return Agreement(
        items,
        raters,
        _cohen(codes) if raters == LEAST_RATERS else _fleiss(counts),
        alpha,
        None if low is None else float(low),
        None if high is None else float(high),
        few,
    )


def _cohen(codes: Ints) -> float | None:
    if len(np.unique(codes)) < 2:
        return None
    return float(cohen_kappa_score(codes[0], codes[1]))


def _fleiss(counts: Ints) -> float | None:
    """From ``(items, labels)`` counts of complete ratings."""
    raters = int(counts[0].sum())
    agreed = float(((counts**2).sum(axis=1) - raters).mean() / (raters * (raters - 1)))
    chance = _chance(counts, raters * len(counts))
    return None if chance >= 1.0 else (agreed - chance) / (1.0 - chance)


def _chance(counts: Ints, total: int) -> float:
    share: Floats = counts.sum(axis=0) / total
    return float((share**2).sum())


def _alpha(counts: Ints) -> float | None:
    """One less observed over expected disagreement; None where only one label occurs."""
    raters = int(counts[0].sum())
    total = raters * len(counts)
    observed = float((raters**2 - (counts**2).sum(axis=1)).sum() / (raters - 1)) / total
    sums = counts.sum(axis=0).astype(np.float64)
    expected = float(total**2 - (sums**2).sum()) / (total * (total - 1))
    return None if expected == 0.0 else 1.0 - observed / expected
