"""Rows whose label contradicts their picture, and the honest rows they are compared with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

from credenza.screening.features.image import twins

if TYPE_CHECKING:
    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.beliefs import Beliefs
    from credenza.screening.features.image import Images

# Pictures that are hard to tell differ a little from easy ones.
SPREAD = 2.0
PRIOR = 0.1
MOST_ROWS = 2_000
TOP = 64
SEEDS = 8
MOST = 0.6
PURE = 0.9


@dataclass(frozen=True, slots=True, eq=False)
class Honest:
    """Rows whose label is the likeliest.

    Attributes:
        rows: ``(h,)`` their positions.
        shown: ``(h,)`` their label's code.
        size: ``(k,)`` how many show each, at least 1.
    """

    rows: Ints
    shown: Ints
    size: Ints

    @classmethod
    def of(cls, images: Images, beliefs: Beliefs) -> Honest:
        """All rows with a picture that fit their label."""
        fits = images.present & ~beliefs.disagrees & (beliefs.shown == beliefs.codes)
        return cls.among(np.flatnonzero(fits), beliefs)

    @classmethod
    def among(cls, rows: Ints, beliefs: Beliefs) -> Honest:
        """The given ones."""
        shown = beliefs.shown[rows]
        size = np.maximum(np.bincount(shown, minlength=len(beliefs.classes)), 1)
        return cls(rows, shown, size)

    def like(self, label: int, shown: Ints) -> Floats:
        """``(2, k)`` weights of an honest row of each class, to be as many as ``shown``.

        A row contradicts its label because the label is wrong, and then its picture is like
        those of what it shows; or because it is hard to tell, and then it is like those of its
        label. What is to be surprising must be so against both.
        """
        alike = np.bincount(shown, minlength=len(self.size)) / self.size
        own = np.zeros(len(self.size))
        own[label] = len(shown) / self.size[label]
        return np.stack([alike, own])


@dataclass(frozen=True, slots=True, eq=False)
class Crowd:
    """Rows that contradict one label.

    Attributes:
        label: code of the label.
        rows: ``(r,)`` one a distinct picture.
        shown: ``(r,)`` code of what each shows.
    """

    label: int
    rows: Ints
    shown: Ints


def crowds_of(
    images: Images, beliefs: Beliefs, tested: Bools, least: int, most: int = MOST_ROWS
) -> list[Crowd]:
    """The rows under test that contradict each label, if at least ``least``; ``most`` of them."""
    units = twins(images)
    wrong = beliefs.disagrees & tested & images.present
    found = []
    for label in np.unique(beliefs.codes[wrong]):
        rows = np.flatnonzero(wrong & (beliefs.codes == label))
        # Sorted by hash: one row a picture, and a sample where there are many.
        _, once = np.unique(units[rows], return_index=True)
        rows = rows[once[:most]]
        if len(rows) >= least:
            found.append(Crowd(int(label), rows, beliefs.shown[rows]))
    return found


def log_tail(count: Ints, rate: Floats) -> Floats:
    """Log p of ``count`` contradicting rows (none counts as one) where ``rate`` are expected."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.log(special.pdtrc(np.maximum(count, 1) - 1, rate)))


@dataclass(frozen=True, slots=True, eq=False)
class Grown:
    """Features that some contradicting rows have together.

    Attributes:
        carriers: ``(r,)`` which of the contradicting rows have all of them.
        features: positions of the features, the first the one it was grown from.
        expected: how many rows would have them by what they show, at most.
        log_p: of so many that do, paid for the choice.
    """

    carriers: Bools
    features: tuple[int, ...]
    expected: float
    log_p: float


def matched(weight: Floats, usual: Floats | Ints | Bools) -> Floats:
    """``(f,)`` how many of a crowd have each feature where honest rows do, the more of two words.

    Args:
        weight: ``(2, h)`` of honest rows, or of their classes.
        usual: ``(h, f)`` which of them have it, or how many of each class.
    """
    return np.asarray(SPREAD * (weight @ usual).max(axis=0) + PRIOR)


def grown(wrong: Bools, usual: Bools, weight: Floats, log_tests: float, least: int) -> Grown:
    """The least likely conjunction that begins with one of the first eight features.

    A feature is added as long as it makes the coincidence less likely than having chosen
    it among ``TOP``.

    Args:
        wrong: ``(r, f)`` which contradicting rows have which feature, the most surprising first.
        usual: ``(h, f)`` which honest rows have it.
        weight: ``(2, h)`` of honest rows.
        log_tests: logarithm of the number of features looked at.
        least: fewest rows that must have all.
    """
    best = Grown(np.zeros(len(wrong), bool), (), 0.0, np.inf)
    for seed in range(min(SEEDS, wrong.shape[1])):
        mine, theirs, price = wrong[:, seed], usual[:, seed], log_tests
        features: tuple[int, ...] = (seed,)
        rate = float(matched(weight[:, theirs], usual[theirs])[seed])
        log_p = float(log_tail(mine.sum(), np.array(rate))) + price
        for _ in range(TOP):
            price += np.log(TOP)
            joint = wrong[mine].sum(axis=0)
            away = matched(weight[:, theirs], usual[theirs])
            after = np.where(joint >= least, log_tail(joint, away) + price, np.inf)
            one = int(after.argmin())
            if after[one] >= log_p:
                break
            log_p, mine, theirs = float(after[one]), mine & wrong[:, one], theirs & usual[:, one]
            features, rate = (*features, one), float(away[one])
        if log_p < best.log_p:
            best = Grown(mine, features, rate, log_p)
    return best
