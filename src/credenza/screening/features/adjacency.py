"""How often words stand beside one another, and how much more often than by chance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from credenza.core.types import Floats, Ints
    from credenza.screening.features.text import Tokens

DISCOUNT = 0.75
LEAST_NEW = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Running:
    """Texts one after another, with a bound before, between and behind them.

    Attributes:
        codes: ``(t,)`` token codes; ``bound`` where a text begins or ends.
        text: ``(t,)`` place of the text among those that were asked for, -1 at bounds.
        starts: ``(m,)`` position of the bound before each text.
        lengths: ``(m,)`` tokens of each text.
        bound: the code of bounds, one more than the largest token code.
    """

    codes: Ints
    text: Ints
    starts: Ints
    lengths: Ints
    bound: int

    @classmethod
    def of(cls, found: Tokens, order: Ints) -> Running:
        """The texts of some rows, in ``order``."""
        lengths = np.bincount(found.rows, minlength=found.n)
        first = (np.cumsum(lengths) - lengths)[order]
        lengths = lengths[order]
        starts = np.cumsum(lengths + 1) - lengths - 1
        text = np.repeat(np.arange(len(order), dtype=np.int64), lengths)
        within = np.arange(len(text)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        at = starts[text] + 1 + within
        bound = len(found.levels)
        codes = np.full(int(lengths.sum()) + len(order) + 1, bound, dtype=np.int64)
        codes[at] = found.codes[first[text] + within]
        of_text = np.full(len(codes), -1, dtype=np.int64)
        of_text[at] = text
        return cls(codes, of_text, starts, lengths, bound)

    def outward(self, at: Ints, step: int) -> Ints:
        """Positions one ``step`` (-1 or 1) on; a bound is the end of the way."""
        return np.where(self.codes[at] == self.bound, at, at + step)


@dataclass(frozen=True, slots=True, eq=False)
class Pairs:
    """Counts of two tokens at a distance, bounds included.

    Attributes:
        keys: sorted ``first · size + second`` of the pairs that occur.
        count: ``(k,)`` how often.
        left: ``(size,)`` pairs that begin with each token.
        right: ``(size,)`` pairs that end with it.
        partners: ``(size,)`` different tokens that follow it.
        size: number of token codes, the bound included.
    """

    keys: Ints
    count: Ints
    left: Floats
    right: Floats
    partners: Floats
    size: int

    @classmethod
    def of(cls, running: Running, distance: int) -> Pairs:
        """Count the pairs ``distance`` apart that no bound separates."""
        codes, size = running.codes, running.bound + 1
        inside = np.ones(len(codes) - distance, dtype=bool)
        for step in range(1, distance):
            inside &= codes[step : step - distance] < running.bound
        first, second = codes[:-distance][inside], codes[distance:][inside]
        keys, count = np.unique(first * size + second, return_counts=True)
        sums = (np.bincount(one, minlength=size) for one in (first, second, keys // size))
        left, right, partners = (np.asarray(one, dtype=np.float64) for one in sums)
        return cls(keys, count, left, right, partners, size)

    def lift(self, first: Ints, second: Ints, less: float = 0.0) -> Floats:
        """``log_lift`` of ``second`` after ``first``, ``less`` of the pairs being left out."""
        wanted = first * self.size + second
        at = np.minimum(np.searchsorted(self.keys, wanted), max(len(self.keys) - 1, 0))
        count = np.where(self.keys[at] == wanted, self.count[at], 0.0)
        share = np.maximum(self.right[second], 1.0) / self.right.sum()
        return log_lift(count - less, self.left[first], self.partners[first], share)

    def shares(self) -> tuple[Floats, Floats]:
        """``(size,)`` share of each token among firsts, and among seconds."""
        total = max(self.left.sum(), 1.0)
        return self.left / total, self.right / total


def log_lift(count: Floats, of: Floats, partners: Floats, share: Floats) -> Floats:
    """Logarithm of how much likelier a partner is than its share.

    Args:
        count: times that it was the partner.
        of: times that there was a partner.
        partners: different partners there were.
        share: of the partner among all tokens.

    Source:
        Absolute discounting, Ney, Essen and Kneser 1994.
    """
    of = np.maximum(of, 1.0)
    unseen = np.clip(DISCOUNT * np.minimum(partners, of) / of, LEAST_NEW, 1.0)
    return np.asarray(np.log(np.maximum(count - DISCOUNT, 0.0) / (of * share) + unseen))
