"""Items whose raters are more suspicious than a draw of users: the targets of shilling."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from scipy import special

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from credenza.core.types import Bools, Floats, Ints
    from credenza.screening.features.interactions import Interactions

LEVELS = (0.01, 0.02, 0.05, 0.1)
LEAST_HITS = 3
WINDOW_S = 48 * 3600.0
CALM = (0.2, 0.04)
SMALLEST_P = 1e-300


@dataclass(frozen=True, slots=True, eq=False)
class Cohort:
    """Users who did the same to one item, too many of them suspicious.

    Attributes:
        sign: the suspicion that they share.
        item: code of the item.
        level: code of the rating they gave, or -1 for any.
        within: positions among the interactions of all who did it.
        hits: how many of them are among the ``share`` most suspicious.
        share: that share of all users.
        is_burst: only those within 48 hours are counted.
        log_p: natural logarithm of the binomial tail.
    """

    sign: str
    item: int
    level: int
    within: Ints
    hits: int
    share: float
    is_burst: bool
    log_p: float

    def without(self, found: Interactions, users: Bools, rank: Floats) -> Cohort:
        """The cohort that is left when ``users`` are taken out.

        Args:
            found: the interactions.
            users: ``(users,)`` mask of those to take out.
            rank: ``(users,)`` ranks of the cohort's sign.
        """
        within = self.within[~users[found.user[self.within]]]
        hits = int((rank[found.user[within]] <= self.share).sum())
        log_p = float(_log_tail(np.array([hits]), np.array([len(within)]), self.share)[0])
        return replace(self, within=within, hits=hits, log_p=log_p)


@dataclass(frozen=True, slots=True, eq=False)
class Tests:
    """Every item's best cohort by one sign.

    Attributes:
        best: ``(items,)`` the smallest log p, 0 for none.
        plain: ``(items,)`` the same without regard to time and rating.
        cohorts: the cohort behind it, for items that have one.
        carried: ``(items,)`` items that could have had one.
        count: tests looked at.
    """

    best: Floats
    plain: Floats
    cohorts: Mapping[int, Cohort]
    carried: Bools
    count: int

    def temper(self, log_p: Floats) -> Floats:
        """Log p by how fast this data's own items fall off, where that is slower.

        Between the upper fifth and the upper twenty-fifth of the items the tail falls by a
        factor of five; beyond, it goes on at that slope. Items of a circle of users that
        are all unlike the rest set the slope and are not named. The slope is taken without
        regard to time and rating, since accomplices shift every item of their days, and
        every item they give a rare rating; a few of them then hardly move it.
        """
        if not self.carried.any():
            return log_p
        low, high = np.quantile(-self.plain[self.carried], [1.0 - share for share in CALM])
        fall = np.log(CALM[0] / CALM[1]) / max(high - low, 1e-9)
        beyond = np.log(CALM[0]) - fall * np.maximum(-log_p - low, 0.0)
        return np.asarray(np.where(log_p < 0, np.maximum(log_p, beyond), 0.0))


def scan_items(found: Interactions, tested: Bools, sign: str, suspicion: Floats) -> Tests:
    """Test every item, by rating level and 48 hours, for too many suspicious users.

    A user is suspicious at a level of .01, .02, .05 or .1 when no more than that share
    of all users is as suspicious. If users came to an item whatever their suspicion,
    the suspicious among its users would be binomial. Users count once an item and level.

    Args:
        found: the interactions.
        tested: ``(t,)`` interactions under test; the others count for nothing.
        sign: name of the suspicion.
        suspicion: ``(users,)``, higher = more suspicious.

    Returns:
        The best cohort of every item.

    Complexity:
        O(t log t) for t interactions, times rating levels.
    """
    rank = ranks(suspicion)
    best, plain = np.zeros(len(found.items)), np.zeros(len(found.items))
    carried = np.zeros(len(found.items), dtype=bool)
    cohorts: dict[int, Cohort] = {}
    count = 0
    for level, within in _by_level(found, tested):
        item = found.item[within]
        for is_burst, first, last in _spans(found, within):
            size = last - first
            carried[item[first[size >= LEAST_HITS]]] = True
            for share in LEVELS:
                before = np.r_[0, np.cumsum(rank[found.user[within]] <= share)]
                hits = before[last] - before[first]
                count += int((size >= LEAST_HITS).sum())
                if level < 0 and not is_burst:
                    np.minimum.at(plain, item[first], _log_tail(hits, size, share))
                at = np.flatnonzero((hits >= LEAST_HITS) & (hits > 2 * share * size))
                log_p = _log_tail(hits[at], size[at], share)
                for j in _best_by_item(item[first[at]], log_p, best):
                    i, span = int(item[first[at[j]]]), within[first[at[j]] : last[at[j]]]
                    best[i] = log_p[j]
                    cohorts[i] = Cohort(
                        sign, i, level, span, int(hits[at[j]]), share, is_burst, float(log_p[j])
                    )
    return Tests(best, plain, cohorts, carried, count)


def _log_tail(hits: Ints, size: Ints, share: float) -> Floats:
    """Log p of as many hits among as many users, or more."""
    tail = np.where(hits > 0, special.bdtrc(np.maximum(hits - 1, 0), size, share), 1.0)
    return np.asarray(np.log(np.maximum(tail, SMALLEST_P)))


def ranks(suspicion: Floats) -> Floats:
    """Share of users at least as suspicious, in (0, 1); ties count in full."""
    ordered = np.sort(-suspicion)
    return np.searchsorted(ordered, -suspicion, side="right") / (len(suspicion) + 1.0)


def _by_level(found: Interactions, tested: Bools) -> Iterator[tuple[int, Ints]]:
    """Positions by item and time, each user once an item: of any level, then of each."""
    time = np.zeros(len(found.item)) if found.time_s is None else found.time_s
    for level in range(-1, len(found.levels)):
        kept = np.flatnonzero(tested & ((level < 0) | (found.level == level)))
        kept = kept[np.lexsort((time[kept], found.user[kept], found.item[kept]))]
        same_item = found.item[kept][1:] == found.item[kept][:-1]
        again = same_item & (found.user[kept][1:] == found.user[kept][:-1])
        kept = kept[np.r_[True, ~again]] if len(kept) else kept
        yield level, kept[np.lexsort((found.user[kept], time[kept], found.item[kept]))]


def _spans(found: Interactions, within: Ints) -> Iterator[tuple[bool, Ints, Ints]]:
    """First and last + 1 of each item's interactions, then of each 48 hours of them."""
    item = found.item[within]
    first = np.flatnonzero(np.r_[True, item[1:] != item[:-1]]) if len(item) else item
    last = np.r_[first[1:], len(item)] if len(item) else item
    yield False, first, last
    if found.time_s is None or len(item) == 0:
        return
    time = found.time_s[within] - found.time_s.min()
    stride = time.max() + 2 * WINDOW_S
    key = item * stride + time
    starts = np.arange(len(item))
    yield True, starts, np.searchsorted(key, key + WINDOW_S, side="right")


def _best_by_item(item: Ints, log_p: Floats, best: Floats) -> Ints:
    """Positions of each item's smallest log p, where it beats what is known."""
    order = np.lexsort((log_p, item))
    first = np.r_[True, item[order][1:] != item[order][:-1]] if len(order) else order > 0
    leading = order[first]
    return leading[log_p[leading] < best[item[leading]]]
